#include "lua/scripts/answer.h"

#include "http/code.h"
#include "http/exchange.h"
#include "lua/runtime/script_file.h"
#include "lua/runtime/vm.h"
#include "lua/scripts/dev_page.h"

#include <stdio.h>

/* The most fields that an answer adds to those of every response. */
enum { FIELDS_MAX = 3 };

static bool has_fault(const struct vm *vm)
{
    return vm->options.dev && vm->fault[0];
}

static struct field fault_field(const struct vm *vm)
{
    return (struct field){STR("moontrail-fault"), str_of(vm->fault)};
}

/* Answers with the text only: without --dev, or if there is nothing to add to it. */
static void answer_plainly(struct exchange *x, int status, struct str text, struct fields *more)
{
    exchange_respond(x, status, status == 204 ? STR("") : text, more);
}

/* Answers with a page: the text, and why the scripts do not load. */
static void answer_in_dev(
    const struct vm *vm, struct exchange *x, int status, struct str text, struct fields *more)
{
    if (has_fault(vm))
        more->list[more->count++] = fault_field(vm);
    struct dev_page page = dev_page_make(x, status, text, vm->fault);
    if (page.html)
        more->list[more->count++] =
            (struct field){STR("content-type"), STR("text/html; charset=utf-8")};
    answer_plainly(x, status, page.text, more);
}

void answer_status(const struct vm *vm, struct exchange *x, int status, const char *allow)
{
    char text[STATUS_TEXT_SIZE];
    struct field list[FIELDS_MAX];
    struct fields more = {.list = list};
    if (allow)
        list[more.count++] = (struct field){STR("allow"), str_of(allow)};
    if (has_fault(vm))
        answer_in_dev(vm, x, status, STR(""), &more);
    else
        answer_plainly(x, status, status_text(status, text), &more);
}

void answer_failure(const struct vm *vm, struct exchange *x, struct str text)
{
    struct field list[FIELDS_MAX];
    struct fields more = {.list = list};
    if (vm->options.dev && (vm->fault[0] || dev_page_is_wanted(x)))
        answer_in_dev(vm, x, 500, text, &more);
    else
        answer_plainly(x, 500, text, &more);
}

void answer_without_scripts(const struct vm *vm, struct exchange *x)
{
    char text[sizeof "The scripts do not load: \n" + VM_FAULT];
    struct field list[FIELDS_MAX];
    struct fields more = {.list = list};
    if (!has_fault(vm) || dev_page_is_wanted(x)) {
        answer_status(vm, x, 503, NULL);
        return;
    }
    snprintf(text, sizeof text, "The scripts do not load: %s\n", vm->fault);
    list[more.count++] = fault_field(vm);
    answer_plainly(x, 503, str_of(text), &more);
}

/* Whether the scripts fail to load because of this file: the fault begins with its path. */
static bool is_broken(const struct vm *vm, const struct script_file *file)
{
    size_t n = strlen(file->path);
    return strncmp(vm->fault, file->path, n) == 0 && vm->fault[n] == ':';
}

/* If there is no memory for it, the script's name is left out. */
static void note_script(struct exchange *x, const struct script_file *file)
{
    x->answered_by = arena_copy(&x->arena, file->path, strlen(file->path) + 1);
}

static bool mark(const struct vm *vm, struct exchange *x, const struct script_file *file)
{
    struct field fault = fault_field(vm);
    note_script(x, file);
    if (!has_fault(vm))
        return false;
    if (is_broken(vm, file) && str_eq(x->request.method, STR("GET")) && dev_page_is_wanted(x)) {
        answer_status(vm, x, 500, NULL);
        return true;
    }
    if (outgoing_set_header(&x->response.out, fault.name, fault.value))
        return false; /* not fatal either: the field is left out */
    return false;
}

bool answer_mark(const struct vm *vm, struct exchange *x, const struct script_file *file)
{
    return vm->options.dev && mark(vm, x, file);
}
