#include "core/live.h"

struct live live;
