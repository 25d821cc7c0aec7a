/* gguf.h - the header of a GGUF file, which llama.cpp and ggml write, into a catalogue. */
#ifndef WEFT_IO_GGUF_H
#define WEFT_IO_GGUF_H

#include "catalogue.h"

weft_status weft__gguf_open(weft__catalogue *c);

#endif
