/* crc.h - the checksum of zip archives. */
#ifndef WEFT_IO_CRC_H
#define WEFT_IO_CRC_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32 of what crc (0 at first) is of, followed by n bytes. */
uint32_t weft__crc(uint32_t crc, const unsigned char *p, size_t n);

#endif
