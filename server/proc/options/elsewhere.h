/* What other programs call an option of this one, or a letter for it. */
#ifndef PROC_OPTIONS_ELSEWHERE_H
#define PROC_OPTIONS_ELSEWHERE_H

/* An option of ours, and a value as an example of what to write. */
struct elsewhere {
    const char *name;
    const char *value;
};

/* Our option for a word or letter that other programs use, which may be followed by "=" and a
 * value; NULL if no program uses it. */
const struct elsewhere *options_elsewhere(const char *word);

#endif
