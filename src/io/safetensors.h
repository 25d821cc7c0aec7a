/* safetensors.h - what reading and writing agree on. */
#ifndef WEFT_IO_SAFETENSORS_H
#define WEFT_IO_SAFETENSORS_H

enum { WEFT__SAFETENSORS_HEADER = 100000000, WEFT__MOST_NAME = 1 << 20 };

#endif
