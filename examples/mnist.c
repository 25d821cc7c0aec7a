/* mnist.c - trains a convnet on MNIST: 60,000 images of handwritten digits to learn from, 10,000 to test with.
 *
 * The images stay in memory as bytes; those of a batch become floats when its turn comes. */
#include "common/idx.h"
#include "common/options.h"
#include "common/plot.h"
#include "common/progress.h"
#include "common/session.h"
#include <weft/nn.h>

enum { SIDE = 28, BATCH = 64, POINTS = 24 };

typedef struct images {
    weft_tensor *x, *y; /* u8 [N, 28, 28] and [N] */
} images;

/* One training. The curve has up to POINTS points, evenly spread; its accuracy is over every fifth test image. */
typedef struct training {
    weft_ctx *c;
    weft_module *model, *net;
    weft_optim *opt;
    images learn, test, quick_test;
    progress bar;
    int done, total;   /* steps */
    int since;         /* steps since the last point of the curve */
    double loss_since; /* their sum of losses */
    double epoch[POINTS], loss[POINTS], accuracy[POINTS];
    int points;
} training;

/* The layers, one after the other, as "net.0.weight", "net.0.bias", "net.3.weight" ... of the model. */
static weft_module *make_convnet(weft_module *model)
{
    weft_module *net = weft_nn_sequential(model, "net");
    weft_nn_conv_options same = WEFT_NN_CONV_DEFAULTS;
    same.padding[0] = same.padding[1] = 1;
    weft_window_params halve = WEFT_WINDOW_DEFAULTS;
    halve.kernel[0] = halve.kernel[1] = 2;
    weft_nn_conv(net, NULL, 1, 16, WEFT_DIMS(3, 3), &same);
    weft_nn_function(net, NULL, weft_relu);
    weft_nn_max_pool(net, NULL, &halve);
    weft_nn_conv(net, NULL, 16, 32, WEFT_DIMS(3, 3), &same);
    weft_nn_function(net, NULL, weft_relu);
    weft_nn_max_pool(net, NULL, &halve);
    weft_nn_flatten(net, NULL, 1);
    weft_nn_linear(net, NULL, 32 * 7 * 7, 128, true);
    weft_nn_function(net, NULL, weft_relu);
    weft_nn_linear(net, NULL, 128, 10, true);
    return net;
}

static images load(weft_ctx *c, const char *folder, const char *which)
{
    char name[48];
    snprintf(name, sizeof name, "%s-images-idx3-ubyte", which);
    images set = {.x = idx_load(c, folder, name, 3)};
    snprintf(name, sizeof name, "%s-labels-idx1-ubyte", which);
    set.y = idx_load(c, folder, name, 1);
    if (weft_ctx_status(c) != WEFT_OK)
        return set;
    if (weft_size(set.x, 0) != weft_size(set.y, 0) || weft_size(set.x, 1) != SIDE || weft_size(set.x, 2) != SIDE)
        weft_ctx_fail(c, WEFT_E_IO, "%s: the %s files are not images of 28 x 28 pixels with a label each", folder,
                      which);
    else if (weft_item(c, weft_max_over(set.y, WEFT_ALL, false)) > 9)
        weft_ctx_fail(c, WEFT_E_IO, "%s: %s: a label is above 9; is this another data set?", folder, name);
    return set;
}

/* Every step-th of the first n images, without a copy. */
static images part(images set, int64_t n, int64_t step)
{
    return (images){weft_slice(set.x, 0, 0, n, step), weft_slice(set.y, 0, 0, n, step)};
}

/* The images that index names as numbers from 0 to 1, [N, 1, 28, 28], with their labels. */
static images batch(weft_ctx *c, images set, weft_tensor *index)
{
    weft_tensor *out[2];
    if (weft_batch(c, (weft_tensor *[]){set.x, set.y}, 2, index, out) != WEFT_OK)
        return (images){NULL, NULL};
    weft_tensor *x = weft_mul_scalar(weft_cast(weft_unsqueeze(out[0], 1), WEFT_F32), 1.0 / 255);
    return (images){x, weft_cast(out[1], WEFT_I64)};
}

/* In percent, 500 images at a time. */
static double accuracy(training *t, images set)
{
    int64_t n = weft_size(set.y, 0);
    double right = 0;
    for (int64_t at = 0, stop; at < n; at = stop) {
        stop = at + 500 < n ? at + 500 : n;
        int mark = weft_scope_push_no_grad(t->c);
        images b = batch(t->c, set, weft_arange(t->c, WEFT_I64, (double)at, (double)stop, 1));
        right += 100 * weft_accuracy(t->c, weft_forward(t->net, b.x), b.y, 1) * (double)(stop - at);
        if (weft_scope_pop(t->c, mark) != WEFT_OK)
            break;
    }
    return right / (double)n;
}

/* One step on a batch. Returns the loss. */
static double step(training *t, images b)
{
    weft_tensor *loss = weft_cross_entropy(weft_forward(t->net, b.x), b.y);
    weft_backward(t->c, loss);
    weft_optim_step(t->c, t->opt);
    weft_optim_zero_grad(t->c, t->opt);
    return weft_item(t->c, loss);
}

/* Adds a point to the curve when it is time, and shows the latest. */
static void follow(training *t, int steps_per_epoch)
{
    if ((int64_t)t->done * POINTS / t->total > t->points) {
        t->epoch[t->points] = (double)t->done / steps_per_epoch;
        t->loss[t->points] = t->loss_since / t->since;
        t->accuracy[t->points] = accuracy(t, t->quick_test);
        t->since = 0;
        t->loss_since = 0;
        t->points++;
    }
    if (t->points > 0)
        progress_show(&t->bar, t->done, "loss %.4f  test accuracy %.2f %%", t->loss[t->points - 1],
                      t->accuracy[t->points - 1]);
}

/* One pass over the images in a new order. */
static weft_status train_epoch(training *t, double lr)
{
    int epoch = weft_scope_push(t->c);
    weft_tensor *order = weft_randperm(t->c, weft_size(t->learn.y, 0));
    int steps = (int)(weft_size(t->learn.y, 0) / BATCH);
    for (int i = 0; i < steps; i++) {
        int mark = weft_scope_push(t->c);
        weft_optim_set_lr(t->opt, lr * (1 - (double)t->done / t->total));
        t->loss_since += step(t, batch(t->c, t->learn, weft_slice(order, 0, i * BATCH, (i + 1) * BATCH, 1)));
        t->since++;
        t->done++;
        if (weft_scope_pop(t->c, mark) != WEFT_OK)
            break;
        follow(t, steps);
    }
    return weft_scope_pop(t->c, epoch);
}

static int save_curve(const training *t, const char *folder)
{
    plot p = {.title = "Weft learns MNIST",
              .subtitle = "A small convnet, tested with every fifth test image",
              .x_label = "epoch",
              .x = t->epoch,
              .n_points = t->points,
              .curves = {"convnet"},
              .panels = {{"Training loss", "", true, {t->loss}}, {"Test accuracy", " %", false, {t->accuracy}}}};
    return plot_save(&p, folder, "mnist");
}

int main(int argc, char **argv)
{
    const char *device = "cpu", *data = "mnist", *folder = "out";
    double epochs = 3, limit = 60000, goal = 98.5;
    option options[] = {
        {"data", "FOLDER", "of train-images-idx3-ubyte and the other three files", .text = &data},
        {"device", "NAME", "cpu, cuda, cuda:1 ...", .text = &device},
        {"epochs", "N", "passes over the images", .number = &epochs, .least = 1, .most = 1000, .whole = true},
        {"limit", "N", "only the first N images of each set", .number = &limit, .least = BATCH, .most = 60000,
         .whole = true},
        {"goal", "PERCENT", "less test accuracy is a failure", .number = &goal, .most = 100},
        {"out", "FOLDER", "where the curve goes", .text = &folder}};
    options_read(argc, argv, "trains a convnet on MNIST", options, 6);

    training t = {.c = session_open(device, 1)};
    t.learn = load(t.c, data, "train");
    t.test = load(t.c, data, "t10k");
    t.learn = part(t.learn, (int64_t)limit, 1);
    t.test = part(t.test, (int64_t)limit, 1);
    t.quick_test = part(t.test, (int64_t)limit, 5);
    if (weft_module_open(t.c, NULL, &t.model) != WEFT_OK)
        return session_close(t.c);
    t.net = make_convnet(t.model);
    t.total = (int)epochs * (int)(weft_size(t.learn.y, 0) / BATCH);
    int n;
    weft_tensor *const *params = weft_module_parameters(t.model, &n);
    if (weft_adam_open(t.c, params, n, NULL, &t.opt) != WEFT_OK)
        return session_close(t.c);
    t.bar = progress_begin("convnet", t.total);
    for (int i = 0; i < (int)epochs; i++) {
        if (train_epoch(&t, 0.008) != WEFT_OK)
            break;
    }
    double reached = accuracy(&t, t.test);
    double seconds = progress_seconds(&t.bar);
    weft_optim_close(t.opt);
    weft_module_close(t.model);
    if (session_close(t.c) != 0)
        return 1;
    printf("%.2f %% of the test images are named rightly, after %.1f s\n", reached, seconds);
    if (save_curve(&t, folder) != 0)
        return 1;
    if (reached >= goal)
        return 0;
    fprintf(stderr, "the test accuracy is below %g %%\n", goal);
    return 1;
}
