/* models.c - all models, and how one is found by name. */
#include "net.h"
#include "options.h"

#include <string.h>

const model *const all_models[MODELS] = {&model_mlp, &model_lenet, &model_gpt2_tiny, &model_resnet18, &model_gpt2_124m};

const model *find_model(const char *name)
{
    const char *names[MODELS];
    for (int k = 0; k < MODELS; k++) {
        names[k] = all_models[k]->name;
        if (strcmp(names[k], name) == 0)
            return all_models[k];
    }
    const char *near = suggest(name, names, MODELS);
    complain("there is no model \"%s\"%s%s; there are mlp, lenet, gpt2-tiny, resnet18 and gpt2-124m", name,
             near ? "; did you mean " : "", near ? near : "");
    return NULL;
}
