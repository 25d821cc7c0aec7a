/* fuzz_models.h - for fuzz_read.c alone, which has chance and damage: files of PyTorch and GGUF, almost right. */
#ifndef WEFT_FUZZ_MODELS_H
#define WEFT_FUZZ_MODELS_H

static void put_text(test_bytes *b, const char *text)
{
    test_put(b, "X", 1);
    test_put_number(b, strlen(text), 4);
    test_put(b, text, strlen(text));
}

static void put_code(test_bytes *b, const char *code)
{
    test_put(b, code, strlen(code));
}

static void put_small(test_bytes *b, size_t value)
{
    put_code(b, "K");
    test_put_number(b, value, 1);
}

enum { STORAGES = 3, STORAGE_BYTES = 96 };

static bool is_named[STORAGES]; /* by a tensor of the pickle that is being made */
static bool only_floats;        /* in the old form, where a storage's size follows from its type */

/* A tensor of a pickle, mostly within its storage. */
static void put_tensor(test_bytes *b)
{
    static const char *const types[] = {"Float", "Double", "Half", "BFloat16", "Long",        "Int",
                                        "Short", "Char",   "Byte", "Bool",     "ComplexFloat"};
    char type[64], key[2] = {(char)('0' + below(STORAGES)), 0};
    const size_t rows = below(4), columns = 1 + below(3);
    snprintf(type, sizeof type, "ctorch\n%sStorage\n", only_floats ? "Float" : PICK(types));
    is_named[key[0] - '0'] = true;
    put_code(b, chance(8) ? "ctorch._utils\n_rebuild_tensor\n((" : "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_text(b, "storage");
    put_code(b, type);
    put_text(b, key);
    put_text(b, "cpu");
    put_small(b, 24);
    put_code(b, "tQ");
    put_small(b, below(3));
    put_small(b, rows);
    put_small(b, columns);
    test_put(b, "\x86", 1);
    put_small(b, chance(4) ? below(5) : columns);
    put_small(b, chance(4) ? below(5) : 1);
    test_put(b, "\x86\x89", 2);
    put_code(b, "ccollections\nOrderedDict\n)RtR");
}

static void put_value(test_bytes *b, int depth)
{
    static const char *const plain[] = {"N", "\x88", "\x89", "J\x05", "G@\x08",
                                        "]", ")",    "}",    "h\x01", "\x8a\x02\x10\x27"};
    const size_t kind = below(8);
    if (kind < 5 || depth == 0) {
        put_tensor(b);
    } else if (kind == 5) {
        put_code(b, PICK(plain));
    } else {
        put_code(b, kind == 6 ? "](" : "}(");
        for (size_t k = below(3); k > 0; k--) {
            if (kind == 7)
                put_text(b, k == 1 ? "weight" : "bias");
            put_value(b, depth - 1);
        }
        put_code(b, kind == 6 ? "e" : "u");
    }
}

static test_bytes any_pickle(void)
{
    static const char *const names[] = {"a", "b.c", "\xc3\xa4", "", "fc1.weight", "\xff"};
    test_bytes b = {0};
    put_code(&b, "\x80\x02}q");
    test_put_number(&b, 0, 1);
    put_code(&b, "(");
    for (size_t k = below(5); k > 0; k--) {
        put_text(&b, PICK(names));
        put_value(&b, 3);
        if (chance(4)) {
            put_code(&b, "q");
            test_put_number(&b, 1, 1);
        }
    }
    put_code(&b, "u.");
    if (chance(2))
        damage(&b);
    return b;
}

static test_bytes any_storage(void)
{
    test_bytes b = {0};
    for (size_t k = 0; k < STORAGE_BYTES; k++)
        test_put_number(&b, next_random() & 0xFF, 1);
    return b;
}

static test_bytes torch_file(void)
{
    static const char *const folders[] = {"archive/", "", "model.pt/"};
    const char *const folder = PICK(folders);
    char name[64];
    test_zip z = {0};
    snprintf(name, sizeof name, "%sdata.pkl", folder);
    test_zip_add(&z, name, chance(4) ? TEST_DEFLATED : TEST_STORED, any_pickle());
    for (int k = 0; k < STORAGES; k++) {
        snprintf(name, sizeof name, "%sdata/%d", folder, k);
        test_zip_add(&z, name, chance(16) ? TEST_DEFLATED : TEST_STORED, any_storage());
    }
    test_bytes b = test_zip_close(&z);
    if (chance(4))
        damage(&b);
    return b;
}

static test_bytes old_torch_file(void)
{
    static const unsigned char head[] = {0x80, 2,   0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50,
                                         0x19, '.', 0x80, 2,  'M',  0xE9, 0x03, '.',  0x80, 2,    '}',  '.'};
    memset(is_named, 0, sizeof is_named);
    only_floats = !chance(4);
    test_bytes b = {0}, pickle = any_pickle();
    only_floats = false;
    test_put(&b, head, sizeof head);
    test_put(&b, pickle.p, pickle.n);
    free(pickle.p);
    put_code(&b, "\x80\x02](");
    for (int k = 0; k < STORAGES; k++)
        if (is_named[k])
            put_text(&b, (char[]){(char)('0' + k), 0});
    put_code(&b, "e.");
    for (int k = 0; k < STORAGES; k++) {
        if (!is_named[k])
            continue;
        test_bytes storage = any_storage();
        test_put_number(&b, 24, 8);
        test_put(&b, storage.p, storage.n);
        free(storage.p);
    }
    if (chance(4))
        damage(&b);
    return b;
}

static void put_gguf_text(test_bytes *b, const char *text)
{
    test_put_number(b, strlen(text), 8);
    test_put(b, text, strlen(text));
}

static void put_gguf_pair(test_bytes *b)
{
    static const char *const keys[] = {"general.alignment", "general.name", "tokenizer.ggml.tokens"};
    const size_t kind = below(3);
    put_gguf_text(b, keys[kind]);
    test_put_number(b, kind == 0 ? 4 : kind == 1 ? 8 : 9, 4);
    if (kind == 0) {
        test_put_number(b, (size_t)8 << below(4), 4);
    } else if (kind == 1) {
        put_gguf_text(b, "x");
    } else {
        const size_t n = below(4);
        test_put_number(b, 8, 4);
        test_put_number(b, n, 8);
        for (size_t k = 0; k < n; k++)
            put_gguf_text(b, "token");
    }
}

static test_bytes gguf_file(void)
{
    static const unsigned char kinds[] = {0, 1, 2, 3, 6, 7, 8, 24, 25, 26, 27, 28, 30, 12};
    const size_t tensors = below(4), pairs = below(3);
    char name[] = "blk.0";
    test_bytes b = {0};
    put_code(&b, "GGUF");
    test_put_number(&b, 2 + below(2), 4);
    test_put_number(&b, tensors, 8);
    test_put_number(&b, pairs, 8);
    for (size_t k = 0; k < pairs; k++)
        put_gguf_pair(&b);
    for (size_t k = 0; k < tensors; k++) {
        name[4] = (char)('0' + k);
        put_gguf_text(&b, name);
        test_put_number(&b, 2, 4);
        test_put_number(&b, chance(8) ? below(40) : 32, 8);
        test_put_number(&b, below(3), 8);
        test_put_number(&b, kinds[below(sizeof kinds)], 4);
        test_put_number(&b, 512 * k, 8);
    }
    for (size_t k = 0; k < 512 * tensors + 64; k++)
        test_put_number(&b, next_random() & 0xFF, 1);
    if (!chance(4))
        damage(&b);
    return b;
}

#endif
