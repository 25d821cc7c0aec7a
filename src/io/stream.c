/* stream.c - see stream.h. */
#include "stream.h"

#include <limits.h>
#include <string.h>
#include "crc.h"

enum { PACKED = 32768, PIECE = 1 << 18 };

weft_status weft__stream_open(weft__stream *s, const weft__catalogue *c, const weft__entry *e, const char **why)
{
    *s = (weft__stream){.c = c, .e = e, .at = e->offset, .packed = e->packed, .left = e->size};
    *why = NULL;
    if (e->method == WEFT__STORED)
        return WEFT_OK;
    if (e->method != WEFT__DEFLATED) {
        *why = "it is compressed in a way other than deflate, or encrypted";
        return WEFT_OK;
    }
    weft_status status = WEFT_OK;
    s->packed_bytes = weft__take(c->ctx, PACKED, &status);
    if (!s->packed_bytes)
        return status;
    *why = weft__inflate_open(c->ctx, &s->z);
    s->inflating = !*why;
    return weft_ctx_status(c->ctx);
}

/* Unpacks n bytes. With n = 0: looks for the end of the data. */
static weft_status inflate(weft__stream *s, unsigned char *to, size_t n, const char **why)
{
    unsigned char beyond;
    s->z.next_out = n ? to : &beyond;
    s->z.avail_out = n ? (unsigned)n : 1;
    while (!s->ended && s->z.avail_out > 0) {
        if (s->z.avail_in == 0) {
            const size_t more = s->packed < PACKED ? (size_t)s->packed : PACKED;
            const weft_status status = weft__source_read(&s->c->source, s->at, s->packed_bytes, more);
            if (status != WEFT_OK)
                return status;
            s->at += more;
            s->packed -= more;
            s->z.next_in = s->packed_bytes;
            s->z.avail_in = (unsigned)more;
        }
        const unsigned in = s->z.avail_in, out = s->z.avail_out;
        *why = weft__inflate_more(&s->z, &s->ended);
        if (weft_ctx_status(s->c->ctx) != WEFT_OK)
            return weft_ctx_status(s->c->ctx);
        if (!*why && !s->ended && in == s->z.avail_in && out == s->z.avail_out)
            *why = "its compressed data ends too early";
        if (*why)
            return WEFT_OK;
    }
    if (s->z.avail_out != (n ? 0 : 1))
        *why = n ? "its compressed data ends too early" : "its compressed data goes on behind the size that it claims";
    return WEFT_OK;
}

static weft_status read_piece(weft__stream *s, unsigned char *to, size_t n, const char **why)
{
    weft_status status;
    if (s->inflating) {
        status = inflate(s, to, n, why);
    } else {
        status = weft__source_read(&s->c->source, s->at, to, n);
        s->at += n;
    }
    if (status == WEFT_OK && !*why && s->e->checked)
        s->crc = weft__crc(s->crc, to, n);
    s->left -= n;
    return status;
}

weft_status weft__stream_read(weft__stream *s, void *to, size_t n, const char **why)
{
    weft_status status = WEFT_OK;
    *why = n > s->left ? "it ends too early" : NULL;
    for (size_t done = 0; done < n && status == WEFT_OK && !*why;) {
        const size_t piece = n - done < PIECE ? n - done : PIECE;
        status = read_piece(s, (unsigned char *)to + done, piece, why);
        done += piece;
    }
    return status;
}

weft_status weft__stream_finish(weft__stream *s, const char **why)
{
    unsigned char rest[4096];
    weft_status status = WEFT_OK;
    *why = NULL;
    if (!s->e->checked)
        return WEFT_OK;
    while (s->left > 0 && status == WEFT_OK && !*why)
        status = weft__stream_read(s, rest, s->left < sizeof rest ? (size_t)s->left : sizeof rest, why);
    if (status == WEFT_OK && !*why && s->inflating)
        status = inflate(s, NULL, 0, why);
    if (status == WEFT_OK && !*why && s->crc != s->e->crc)
        *why = "its checksum is wrong";
    return status;
}

void weft__stream_close(weft__stream *s)
{
    if (s->inflating)
        weft__inflate_close(&s->z);
    weft_ctx_free(s->c->ctx, s->packed_bytes, s->packed_bytes ? PACKED : 0);
    s->inflating = false;
    s->packed_bytes = NULL;
}
