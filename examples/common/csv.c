#include "common/csv.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weft/text.h>

/* Reads the numbers of one line to values. Returns what is wrong with it, or NULL. */
static const char *read_row(const char *line, float *values, int columns)
{
    for (int i = 0; i < columns; i++) {
        char *end;
        values[i] = (float)weft_number(line, &end); /* with a point in every locale */
        if (end == line)
            return i ? "a number is missing" : "there are no numbers in this line";
        if (i + 1 < columns && *end != ',')
            return "fewer numbers than expected, or something that is none";
        line = end + 1;
        if (i + 1 == columns && *end != '\0' && *end != '\n' && *end != '\r')
            return "more numbers than expected, or something that is none";
    }
    return NULL;
}

/* Reads the line of names and the rows after it. Returns what is wrong, or NULL; *number is the line reached. */
static const char *read_table(FILE *file, float *values, int rows, int columns, int *number)
{
    char *line = NULL;
    size_t room = 0;
    const char *wrong = NULL;
    for (*number = 1; *number <= rows + 1; ++*number) {
        if (getline(&line, &room, file) < 0)
            wrong = ferror(file) ? strerror(errno) : "the file ends here, too early";
        else if (*number > 1)
            wrong = read_row(line, values + (ptrdiff_t)(*number - 2) * columns, columns);
        if (wrong)
            break;
    }
    free(line);
    return wrong;
}

weft_tensor *csv_load(weft_ctx *ctx, const char *path, int rows, int columns)
{
    FILE *file = fopen(path, "r");
    if (!file) {
        weft_ctx_fail(ctx, WEFT_E_IO, "%s: %s; run this in the project's folder, or name the file", path,
                      strerror(errno));
        return NULL;
    }
    int line;
    weft_tensor *result = NULL;
    size_t bytes = sizeof(float) * (size_t)rows * (size_t)columns;
    float *values = weft_ctx_alloc(ctx, bytes);
    const char *wrong = values ? read_table(file, values, rows, columns, &line) : NULL;
    if (wrong)
        weft_ctx_fail(ctx, WEFT_E_IO, "%s:%d: %s", path, line, wrong);
    else if (values)
        result = weft_from_data(ctx, WEFT_F32, WEFT_DIMS(rows, columns), values);
    weft_ctx_free(ctx, values, bytes);
    fclose(file);
    return result;
}
