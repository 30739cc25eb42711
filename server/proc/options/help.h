/* The help that --help prints. */
#ifndef PROC_OPTIONS_HELP_H
#define PROC_OPTIONS_HELP_H

/* On stdout. */
void options_help(void);

#endif
