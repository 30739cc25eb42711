/*
 * The steps of a path's resolution: the names that decide what the path leads to, each in a folder
 * whose path has no links. A link counts as a name, and so do those that its text leads through;
 * the first name that is missing is the last step.
 *
 *     site/hello.lua, where site -> rel/2:   site in ".", rel in ".", 2 in "rel",
 *                                            hello.lua in "rel/2"
 */
#ifndef PROC_MASTER_STEPS_H
#define PROC_MASTER_STEPS_H

#include <stdbool.h>

struct step {
    const char *folder; /* "." and "/" included; its path has no link in it */
    const char *name;   /* within the folder */
    bool passage;       /* a folder that is walked through: what it holds is for later steps */
};

/* Visits each step, in order; what it is given is borrowed for the call. Ends early where links
 * lead in circles, or a path gets too long for the system. */
void steps_visit(const char *path, void (*visit)(void *data, const struct step *step), void *data);

#endif
