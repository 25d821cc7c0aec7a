/* mnist.c - trains a convnet on MNIST: 60,000 images of handwritten digits to learn from, 10,000 to test with.
 *
 * The images stay in memory as bytes; those of a batch become floats when its turn comes. */
#include "common/idx.h"
#include "common/options.h"
#include "common/plot.h"
#include "common/progress.h"
#include "common/session.h"

enum { SIDE = 28, BATCH = 64, PARAMS = 8, POINTS = 24 };

typedef struct images {
    weft_tensor *x, *y; /* u8 [N, 28, 28] and [N] */
} images;

/* One training. The curve has up to POINTS points, evenly spread; its accuracy is over every fifth test image. */
typedef struct training {
    weft_ctx *c;
    weft_tensor *p[PARAMS];
    weft_optim *opt;
    images learn, test, quick_test;
    progress bar;
    int done, total;   /* steps */
    int since;         /* steps since the last point of the curve */
    double loss_since; /* their sum of losses */
    double epoch[POINTS], loss[POINTS], accuracy[POINTS];
    int points;
} training;

static weft_tensor *convnet(weft_tensor *const *p, weft_tensor *x)
{
    weft_conv2d_params same = WEFT_CONV2D_DEFAULTS;
    same.padding[0] = same.padding[1] = 1;
    weft_pool2d_params halve = WEFT_POOL2D_DEFAULTS;
    halve.kernel[0] = halve.kernel[1] = 2;
    weft_tensor *h = weft_reshape(x, WEFT_DIMS(-1, 1, SIDE, SIDE));
    h = weft_max_pool2d(weft_relu(weft_conv2d(h, p[0], p[1], &same)), &halve);
    h = weft_max_pool2d(weft_relu(weft_conv2d(h, p[2], p[3], &same)), &halve);
    h = weft_relu(weft_linear(weft_flatten(h, 1, -1), p[4], p[5]));
    return weft_linear(h, p[6], p[7]);
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

/* Images start to stop as numbers from 0 to 1, with their labels. */
static images batch(images set, int64_t start, int64_t stop)
{
    weft_tensor *x = weft_cast(weft_slice(set.x, 0, start, stop, 1), WEFT_F32);
    return (images){weft_mul_scalar(x, 1.0 / 255), weft_cast(weft_slice(set.y, 0, start, stop, 1), WEFT_I64)};
}

/* In percent, 500 images at a time. */
static double accuracy(training *t, images set)
{
    int64_t n = weft_size(set.y, 0);
    double right = 0;
    for (int64_t at = 0, stop; at < n; at = stop) {
        stop = at + 500 < n ? at + 500 : n;
        int mark = weft_scope_push_no_grad(t->c);
        images b = batch(set, at, stop);
        right += session_accuracy(t->c, convnet(t->p, b.x), b.y) * (double)(stop - at);
        if (weft_scope_pop(t->c, mark) != WEFT_OK)
            break;
    }
    return right / (double)n;
}

/* One step on a batch. Returns the loss. */
static double step(training *t, images b)
{
    weft_tensor *loss = weft_cross_entropy(convnet(t->p, b.x), b.y);
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
    uint64_t seed = (uint64_t)t->done; /* the same for images and labels, so that they stay together */
    images shuffled = {session_shuffled(t->learn.x, seed), session_shuffled(t->learn.y, seed)};
    int steps = (int)(weft_size(t->learn.y, 0) / BATCH);
    for (int i = 0; i < steps; i++) {
        int mark = weft_scope_push(t->c);
        weft_optim_set_lr(t->opt, lr * (1 - (double)t->done / t->total));
        t->loss_since += step(t, batch(shuffled, i * BATCH, (i + 1) * BATCH));
        t->since++;
        t->done++;
        if (weft_scope_pop(t->c, mark) != WEFT_OK)
            break;
        follow(t, steps);
    }
    return weft_scope_pop(t->c, epoch);
}

static void make_parameters(training *t)
{
    session_layer(t->c, &t->p[0], WEFT_DIMS(16, 1, 3, 3));
    session_layer(t->c, &t->p[2], WEFT_DIMS(32, 16, 3, 3));
    session_layer(t->c, &t->p[4], WEFT_DIMS(128, 32 * 7 * 7));
    session_layer(t->c, &t->p[6], WEFT_DIMS(10, 128));
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
    make_parameters(&t);
    t.total = (int)epochs * (int)(weft_size(t.learn.y, 0) / BATCH);
    if (weft_adam_open(t.c, t.p, PARAMS, NULL, &t.opt) != WEFT_OK)
        return session_close(t.c);
    t.bar = progress_begin("convnet", t.total);
    for (int i = 0; i < (int)epochs; i++) {
        if (train_epoch(&t, 0.008) != WEFT_OK)
            break;
    }
    double reached = accuracy(&t, t.test);
    double seconds = progress_seconds(&t.bar);
    weft_optim_close(t.opt);
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
