/* test_records.c - the record of every operation says what its row says, and is whole. */
#include "engine/engine.h"
#include "base/op_def.h"
#include "harness/weft_test.h"

WEFT_TEST(Records, AreThoseOfTheirRows)
{
    for (int op = 0; op < WEFT_OP_COUNT; op++) {
        const weft__op_def *def = weft__defs[op];
        const weft__op_info *row = &weft__ops[op];
        if (!def || def->op != op)
            WEFT_FAIL("%s has the record of %s", row->name, def ? weft__ops[def->op].name : "nobody");
        else if ((def->gradient != NULL) != row->differentiable)
            WEFT_FAIL("%s: a gradient in words without one, or one without words", row->name);
        else if (row->family == WEFT__COMPOSITE)
            continue; /* its parts have derivatives */
        else if ((def->n_differentiable > 0) != (row->differentiable || op == WEFT_OP_DETACH))
            WEFT_FAIL("%s: the record has %d differentiable results, the row says %s", row->name, def->n_differentiable,
                      row->differentiable ? "yes" : row->no_grad_reason);
        else if ((def->vjp != NULL) != row->differentiable)
            WEFT_FAIL("%s: a rule without a derivative, or a derivative without a rule", row->name);
    }
}

WEFT_TEST(Records, AreWhole)
{
    for (int op = 0; op < WEFT_OP_COUNT; op++) {
        const weft__op_def *def = weft__defs[op];
        const char *name = weft__ops[op].name;
        if (!def->terms || !def->flops || !def->bytes)
            WEFT_FAIL("%s: terms, flops or bytes are missing", name);
        if (def->n_in > WEFT__MAX_DEF_OPERANDS || def->n_out > WEFT__MAX_DEF_RESULTS)
            WEFT_FAIL("%s: %d operands, %d results", name, def->n_in, def->n_out);
        if ((def->call != NULL) != (def->recipes[0].operands != NULL) || (def->call != NULL) != (def->part_of < 0))
            WEFT_FAIL("%s: a call without a recipe, or a recipe without a call", name);
        if (!def->call && (weft__ops[op].family != WEFT__KERNEL || !weft__ops[def->part_of].differentiable))
            WEFT_FAIL("%s: public, but nothing calls it; or a part of what has no derivative", name);
        for (int k = 0; k < def->n_in; k++)
            if ((def->in[k] & WEFT__KIND_MASK) == WEFT__NO_OPERAND || (def->in[k] & WEFT__KIND_MASK) > WEFT__TRUTHS)
                WEFT_FAIL("%s: operand %d is of no kind", name, k);
        for (int k = def->n_in; k < 48; k++)
            if (def->reads & WEFT__READS_OPERAND(k))
                WEFT_FAIL("%s: the derivative reads operand %d, which it does not have", name, k);
        const weft__family family = weft__ops[op].family;
        const bool is_called = (family != WEFT__KERNEL || (def->n_in == 0 && def->call)) && family != WEFT__COMPOSITE &&
                               def->effect != WEFT__STEPS;
        if ((def->infer != NULL) != is_called)
            WEFT_FAIL("%s: infer is %s", name, def->infer ? "there, but nothing calls it" : "missing");
        if (def->effect == WEFT__IN_PLACE && !(def->in[0] & WEFT__CHANGED))
            WEFT_FAIL("%s: works in place, but changes nothing", name);
        if (def->fused >= 0 && def->fused != op && weft__ops[def->fused].family != WEFT__KERNEL)
            WEFT_FAIL("%s: %s is no kernel of a gradient", name, weft__ops[def->fused].name);
    }
}

WEFT_TEST(Records, FindTheOperandOfACall)
{
    const weft__op_def *linear = weft__defs[WEFT_OP_LINEAR], *concat = weft__defs[WEFT_OP_CONCAT];
    const weft__op_def *sgd = weft__defs[WEFT_OP_SGD_STEP];
    WEFT_CHECK(weft__operand(linear, 2, 3) & WEFT__OR_NULL);
    WEFT_CHECK(!(weft__operand(linear, 1, 3) & WEFT__OR_NULL));
    WEFT_CHECK_EQ_INT(weft__operand(linear, 3, 3), WEFT__NO_OPERAND);
    WEFT_CHECK_EQ_INT(weft__operand(concat, 99, 100) & WEFT__KIND_MASK, WEFT__ANY_DTYPE);
    /* 4 lists of 3: parameters 0 to 2, gradients 3 to 5 */
    WEFT_CHECK(weft__operand(sgd, 2, 12) & WEFT__CHANGED);
    WEFT_CHECK(!(weft__operand(sgd, 3, 12) & WEFT__CHANGED));
    WEFT_CHECK(weft__operand(sgd, 11, 12) & WEFT__OR_NULL);
}

WEFT_TEST(Records, ReadEveryOperandOfAListOrNone)
{
    const weft__op_def list = {.arity = WEFT__LIST, .n_in = 1}, two = {.arity = WEFT__FIXED, .n_in = 2};
    const uint64_t second = WEFT__READS_OPERAND(1), result = WEFT__READS_RESULT(0);
    WEFT_CHECK(weft__operands_read(&two, second | result) == second);
    WEFT_CHECK(weft__operands_read(&list, result) == 0);
    WEFT_CHECK(weft__operands_read(&list, WEFT__READS_OPERAND(0)) == UINT64_MAX); /* operand 99 as well */
    WEFT_CHECK(weft__results_read(second | result) == 1);
}
