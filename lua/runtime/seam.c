#include "lua/runtime/seam.h"

const int seam_layout = SEAM_LAYOUT;
