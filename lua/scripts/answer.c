#include "lua/scripts/answer.h"

#include "http/code.h"
#include "http/exchange.h"
#include "lua/runtime/vm.h"

#include <stdio.h>

/* As many fields as an answer has, beside those of every response. */
enum { FIELDS_MAX = 2 };

static bool has_fault(const struct vm *vm)
{
    return vm->options.dev && vm->fault[0];
}

static struct field fault_field(const struct vm *vm)
{
    return (struct field){STR("moontrail-fault"), str_of(vm->fault)};
}

void answer_status(const struct vm *vm, struct exchange *x, int status, const char *allow)
{
    char text[STATUS_TEXT_SIZE];
    struct field list[FIELDS_MAX];
    struct fields more = {.list = list};
    if (allow)
        list[more.count++] = (struct field){STR("allow"), str_of(allow)};
    if (has_fault(vm))
        list[more.count++] = fault_field(vm);
    exchange_respond(x, status, status == 204 ? STR("") : status_text(status, text), &more);
}

void answer_failure(const struct vm *vm, struct exchange *x, struct str page)
{
    struct field fault = fault_field(vm);
    exchange_respond(
        x, 500, page, &(struct fields){.list = &fault, .count = has_fault(vm) ? 1 : 0});
}

void answer_without_scripts(const struct vm *vm, struct exchange *x)
{
    char text[sizeof "The scripts do not load: \n" + VM_FAULT];
    if (!has_fault(vm)) {
        answer_status(vm, x, 503, NULL);
        return;
    }
    snprintf(text, sizeof text, "The scripts do not load: %s\n", vm->fault);
    struct field fault = fault_field(vm);
    exchange_respond(x, 503, str_of(text), &(struct fields){.list = &fault, .count = 1});
}

void answer_mark(const struct vm *vm, struct exchange *x)
{
    struct field fault = fault_field(vm);
    if (has_fault(vm) && outgoing_set_header(&x->response.out, fault.name, fault.value))
        return; /* no memory for it: the answer goes without */
}
