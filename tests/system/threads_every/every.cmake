# every_program(NAME USES ... SOURCES ... LIBRARIES ...): a program with the files of this folder, and a table of where the
# instructions of these libraries are in it, build/programs/NAME.table.  Its text may be written, for breakpoints; what
# writes there has pages of its own, since a page is not written and executed at once.  Upcalls and memory pass by here.
set(every_folder ${CMAKE_CURRENT_LIST_DIR})
function(every_program name)
    cmake_parse_arguments(P "" "" "USES;SOURCES;LIBRARIES" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${every_folder}/*.c ${every_folder}/*.S
        ${CMAKE_SOURCE_DIR}/lib/threads/test/operations*.c)
    list(REMOVE_ITEM sources ${every_folder}/threads.c)
    file(READ ${CMAKE_SOURCE_DIR}/lib/native/native.ld script)
    string(REPLACE "FLAGS(5)" "FLAGS(7)" script "${script}")
    string(REPLACE "    .text :" "    every_text : ALIGN(0x1000) { *(every_text) . = ALIGN(0x1000); } :text\n    .text :"
        script "${script}")
    file(GENERATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/every.ld CONTENT "${script}")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/lib/native/native.ld)
    quoin_program(${name} USES ${P_USES} SOURCES ${sources} ${P_SOURCES} SCRIPT ${CMAKE_CURRENT_BINARY_DIR}/every.ld)
    set(map ${CMAKE_BINARY_DIR}/debug/${name}.elf.map)
    target_include_directories(program.${name} PRIVATE ${every_folder})
    target_link_options(program.${name} PRIVATE -Wl,-Map=${map} -Wl,--no-warn-rwx-segments
        -Wl,--wrap=threads_native_upcall -Wl,--wrap=threads_native_memory)
    add_custom_command(TARGET program.${name} POST_BUILD
        BYPRODUCTS ${CMAKE_BINARY_DIR}/programs/${name}.table
        COMMAND ${CMAKE_SOURCE_DIR}/tools/instructions $<TARGET_FILE:program.${name}> ${map} ${P_LIBRARIES}
            > ${CMAKE_BINARY_DIR}/programs/${name}.table VERBATIM)
endfunction()
