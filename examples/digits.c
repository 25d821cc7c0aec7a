/* digits.c - trains an MLP and a small convnet on 1,797 handwritten digits, and draws their learning curves. */
#include "common/csv.h"
#include "common/options.h"
#include "common/plot.h"
#include "common/progress.h"
#include "common/session.h"

enum { IMAGES = 1797, PIXELS = 64, TEST = 360, BATCH = 32, EPOCHS = 20, GOAL = 97 };

typedef struct model {
    const char *name;
    weft_tensor *(*logits)(weft_tensor *const *p, weft_tensor *x); /* x [N, 64]; result [N, 10] */
    weft_tensor *p[6];
    int n_params, epochs;
    double loss[EPOCHS], accuracy[EPOCHS]; /* of training; in percent of the test images */
} model;

static weft_tensor *mlp(weft_tensor *const *p, weft_tensor *x)
{
    return weft_linear(weft_relu(weft_linear(x, p[0], p[1])), p[2], p[3]);
}

static weft_tensor *convnet(weft_tensor *const *p, weft_tensor *x)
{
    weft_conv2d_params same = WEFT_CONV2D_DEFAULTS;
    same.padding[0] = same.padding[1] = 1;
    weft_pool2d_params halve = WEFT_POOL2D_DEFAULTS;
    halve.kernel[0] = halve.kernel[1] = 2;
    weft_tensor *h = weft_reshape(x, WEFT_DIMS(-1, 1, 8, 8));
    h = weft_relu(weft_conv2d(h, p[0], p[1], &same));
    h = weft_relu(weft_conv2d(h, p[2], p[3], &same));
    h = weft_max_pool2d(h, &halve);
    return weft_linear(weft_flatten(h, 1, -1), p[4], p[5]);
}

/* Cuts rows of the table into pixels, scaled to [0, 1], and digits. */
static void split(weft_tensor *rows, weft_tensor **x, weft_tensor **y)
{
    *x = weft_mul_scalar(weft_slice(rows, 1, 0, PIXELS, 1), 1.0 / 16);
    *y = weft_cast(weft_select(rows, 1, PIXELS), WEFT_I64);
}

/* One pass over the training rows. Returns the mean loss. */
static double train_epoch(weft_ctx *c, model *m, weft_optim *opt, weft_tensor *rows)
{
    double sum = 0;
    int steps = (int)(weft_size(rows, 0) / BATCH);
    for (int step = 0; step < steps; step++) {
        int mark = weft_scope_push(c);
        weft_tensor *x, *y;
        split(weft_slice(rows, 0, step * BATCH, (step + 1) * BATCH, 1), &x, &y);
        weft_tensor *loss = weft_cross_entropy(m->logits(m->p, x), y);
        weft_backward(c, loss);
        weft_optim_step(c, opt);
        weft_optim_zero_grad(c, opt);
        sum += weft_item(c, loss);
        if (weft_scope_pop(c, mark) != WEFT_OK)
            break;
    }
    return sum / steps;
}

static void train(weft_ctx *c, model *m, weft_tensor *train_rows, weft_tensor *test_rows)
{
    weft_optim *opt;
    progress bar = progress_begin(m->name, m->epochs);
    if (weft_adam_open(c, m->p, m->n_params, NULL, &opt) != WEFT_OK)
        return;
    for (int i = 0; i < m->epochs; i++) {
        int mark = weft_scope_push(c);
        weft_optim_set_lr(opt, 0.004 * (1 - (double)i / m->epochs));
        m->loss[i] = train_epoch(c, m, opt, session_shuffled(train_rows, (uint64_t)i + 1));
        weft_scope_push_no_grad(c); /* no gradient is wanted of the test; the pop below closes this scope, too */
        weft_tensor *x, *y;
        split(test_rows, &x, &y);
        m->accuracy[i] = session_accuracy(c, m->logits(m->p, x), y);
        if (weft_scope_pop(c, mark) != WEFT_OK)
            break;
        progress_show(&bar, i + 1, "loss %.4f  test accuracy %.2f %%", m->loss[i], m->accuracy[i]);
    }
    weft_optim_close(opt);
}

static int save_curves(const model *m, const char *folder)
{
    plot p = {.title = "Weft learns to read digits",
              .subtitle = "1,437 handwritten digits to learn from, 360 others to test with",
              .x_label = "epoch",
              .n_points = m->epochs,
              .curves = {m[0].name, m[1].name},
              .panels = {{"Training loss", "", true, {m[0].loss, m[1].loss}},
                         {"Test accuracy", " %", false, {m[0].accuracy, m[1].accuracy}}}};
    return plot_save(&p, folder, "digits");
}

int main(int argc, char **argv)
{
    double epochs = EPOCHS;
    const char *device = "cpu", *data = "examples/data/digits.csv", *folder = "out";
    option options[] = {{"device", "NAME", "cpu, cuda, cuda:1 ...", .text = &device},
                        {"data", "FILE", "the images", .text = &data},
                        {"epochs", "N", "passes over the images; after fewer than the default no accuracy is asked for",
                         .number = &epochs, .least = 1, .most = EPOCHS, .whole = true},
                        {"out", "FOLDER", "where the curves go", .text = &folder}};
    options_read(argc, argv, "trains an MLP and a convnet on handwritten digits", options, 4);
    weft_ctx *c = session_open(device, 1);
    weft_tensor *rows = session_shuffled(csv_load(c, data, IMAGES, PIXELS + 1), 1);
    weft_tensor *test_rows = weft_slice(rows, 0, 0, TEST, 1), *train_rows = weft_slice(rows, 0, TEST, IMAGES, 1);
    model models[2] = {{.name = "MLP", .logits = mlp, .n_params = 4},
                       {.name = "convnet", .logits = convnet, .n_params = 6}};
    session_layer(c, &models[0].p[0], WEFT_DIMS(128, PIXELS));
    session_layer(c, &models[0].p[2], WEFT_DIMS(10, 128));
    session_layer(c, &models[1].p[0], WEFT_DIMS(16, 1, 3, 3));
    session_layer(c, &models[1].p[2], WEFT_DIMS(32, 16, 3, 3));
    session_layer(c, &models[1].p[4], WEFT_DIMS(10, 32 * 4 * 4));
    for (int k = 0; k < 2; k++) {
        models[k].epochs = (int)epochs;
        train(c, &models[k], train_rows, test_rows);
    }
    if (session_close(c) != 0 || save_curves(models, folder) != 0)
        return 1;
    if (models[0].epochs < EPOCHS)
        return 0;
    if (models[0].accuracy[EPOCHS - 1] >= GOAL && models[1].accuracy[EPOCHS - 1] >= GOAL)
        return 0;
    fprintf(stderr, "the test accuracy of a model is below %d %%\n", GOAL);
    return 1;
}
