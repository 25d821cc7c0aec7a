/* drive.h - the driver's entries of weft__host (backend.h). */
#ifndef WEFT_ENGINE_DRIVE_H
#define WEFT_ENGINE_DRIVE_H

#include "engine/backend.h"

weft_status weft__drive(const weft__exec *e, const weft__needs *needs, weft__kernel kernel);
bool weft__checks_positions(weft_op op);

#endif
