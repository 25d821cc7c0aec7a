/* gradients.h - the derivatives that are no formula of the op table, in words. */
#ifndef WEFT_TOOLS_GRADIENTS_H
#define WEFT_TOOLS_GRADIENTS_H

/* Of an operation's name without weft_; NULL: not known here. A test wants a row for every differentiable operation. */
const char *gradient_in_words(const char *op);

#endif
