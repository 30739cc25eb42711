/* The product's version, as --version and scripts see it. */
#ifndef CORE_VERSION_H
#define CORE_VERSION_H

#define MOONTRAIL_VERSION "0.1.0"

#endif
