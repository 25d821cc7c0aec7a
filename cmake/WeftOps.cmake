# Run by cmake -P: prints a file generated from the op table and compares it with the committed one, or rewrites it.
#   -DGENERATOR=weft_gen_ops|weft_gen_docs -DFILE=include/weft/ops.h|docs/ops.md -DTARGET=update_ops|update_docs
#   -DSOURCE=<project> -DMODE=check|update
set(file ${SOURCE}/${FILE})
execute_process(COMMAND ${GENERATOR} ${SOURCE} OUTPUT_VARIABLE fresh COMMAND_ERROR_IS_FATAL ANY)
set(committed "")
if(EXISTS ${file})
    file(READ ${file} committed)
endif()
if(fresh STREQUAL committed)
    message(STATUS "${FILE} is up to date")
elseif(MODE STREQUAL "update")
    file(WRITE ${file} "${fresh}")
    message(STATUS "${FILE} written")
else()
    message(SEND_ERROR "${FILE} is stale: build the target ${TARGET} and commit the result")
endif()
