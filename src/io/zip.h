/* zip.h - numbers of the zip format. https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT */
#ifndef WEFT_IO_ZIP_H
#define WEFT_IO_ZIP_H

enum {
    WEFT__ZIP_LOCAL = 0x04034b50,
    WEFT__ZIP_CENTRAL = 0x02014b50,
    WEFT__ZIP_END = 0x06054b50,
    WEFT__ZIP_END64 = 0x06064b50,
    WEFT__ZIP_LOCATOR64 = 0x07064b50,
    WEFT__ZIP_LOCAL_SIZE = 30,
    WEFT__ZIP_CENTRAL_SIZE = 46,
    WEFT__ZIP_END_SIZE = 22,
    WEFT__ZIP_END64_SIZE = 56,
    WEFT__ZIP_LOCATOR64_SIZE = 20,
    WEFT__ZIP_UTF8 = 0x800, /* flags: the name is UTF-8 */
    WEFT__ZIP_SECRET = 1    /* flags: encrypted */
};

#endif
