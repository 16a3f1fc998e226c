# quoin.cmake - the kinds of things this tree builds.
#
#   quoin_headers(NAME FOLDER)                    headers only
#   quoin_library(NAME USES ...)                  lib/NAME, for programs that run in Quoin
#   quoin_supervisor(USES ...)                    build/quoin.elf
#   quoin_appkernel(NAME USES ... [SOURCES ...])  build/kernels/NAME, with symbols build/debug/NAME.elf;
#                                                 with the word LIBC it is a C program on musl (lib/c)
#   quoin_program(NAME USES ... [SOURCES ...] [SCRIPT FILE])    build/programs/NAME, for appkernels/native; may use
#                                                 floating point.  SCRIPT: of the linker, instead of native.ld
#   quoin_linux_program(SOURCE LIBC [FOLDER F] [FLAGS ...])   a static Linux program, build/tests/linux/NAME[.glibc]
#                                                 or build/F/NAME
#   quoin_host_test(TEST [OBJECTS NAME] [SOURCES ...] [INCLUDES ...] [DEFINES ...])   a cmocka program for the host
#   quoin_host_objects(NAME [SOURCES ...] [INCLUDES ...] [DEFINES ...])   what several of these share, compiled once
#   quoin_host_fuzzer(FUZZER [SOURCES ...] [INCLUDES ...] [DEFINES ...])   a libFuzzer program; ten seconds are a test
#   quoin_stubs(FILE.interface LIST)              its generated sources, in a list, in the build folder's CURRENT_FOLDER/stubs
#   quoin_folders()                               every folder below that has a CMakeLists.txt
#
# The same source is compiled up to three times: for the supervisor, for programs, and for the host with sanitizers.
# What a folder may include is its own folder and the folders of what it says it uses, nothing else.
# A folder that has no sources yet builds nothing and says so.

set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_C_EXTENSIONS ON)

set(QUOIN_WARNINGS -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror)
separate_arguments(QUOIN_OPTIMIZE_LIST UNIX_COMMAND "${QUOIN_OPTIMIZE}")
execute_process(COMMAND ${CMAKE_C_COMPILER} -print-file-name=include
    OUTPUT_VARIABLE QUOIN_GCC_INCLUDE OUTPUT_STRIP_TRAILING_WHITESPACE)

# No header of the host is seen: only the compiler's own, freestanding ones.
set(QUOIN_FREESTANDING ${QUOIN_OPTIMIZE_LIST} -g -ffreestanding -fno-pic -mgeneral-regs-only
    -fno-stack-protector -fno-asynchronous-unwind-tables -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=
    -nostdinc -isystem ${QUOIN_GCC_INCLUDE})
set(QUOIN_C -std=gnu11 ${QUOIN_WARNINGS})
set(QUOIN_SUPERVISOR_FLAGS ${QUOIN_FREESTANDING} -mcmodel=kernel -mno-red-zone -fno-omit-frame-pointer
    -ffunction-sections)
set(QUOIN_USER_FLAGS ${QUOIN_FREESTANDING} -ffunction-sections)

# The headers of the Linux interface, and nothing else of the host's: build/include/linux/{linux,asm,asm-generic}.
set(QUOIN_LINUX_HEADERS ${CMAKE_BINARY_DIR}/include/linux)
file(MAKE_DIRECTORY ${QUOIN_LINUX_HEADERS})
foreach(pair linux=/usr/include/linux asm-generic=/usr/include/asm-generic
        asm=/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}/asm mtd=/usr/include/mtd)
    string(REPLACE "=" ";" pair ${pair})
    list(GET pair 0 name)
    list(GET pair 1 target)
    file(CREATE_LINK ${target} ${QUOIN_LINUX_HEADERS}/${name} SYMBOLIC)
endforeach()
add_library(linux_headers INTERFACE)
target_include_directories(linux_headers SYSTEM INTERFACE ${QUOIN_LINUX_HEADERS})

file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/kernels ${CMAKE_BINARY_DIR}/programs ${CMAKE_BINARY_DIR}/debug ${CMAKE_BINARY_DIR}/tests/linux
    ${CMAKE_BINARY_DIR}/bench)
add_custom_target(system ALL)            # all that `quoin run` needs

function(quoin_folders)
    file(GLOB lists CONFIGURE_DEPENDS */CMakeLists.txt)
    foreach(list ${lists})
        get_filename_component(folder ${list} DIRECTORY)
        add_subdirectory(${folder})
    endforeach()
endfunction()

function(quoin_stubs interface list)
    get_filename_component(name ${interface} NAME_WE)
    set(at ${CMAKE_CURRENT_BINARY_DIR}/stubs)
    set(files ${at}/${name}_client.c ${at}/${name}_server.c)
    add_custom_command(OUTPUT ${files} ${at}/${name}_stubs.h
        COMMAND ${CMAKE_SOURCE_DIR}/tools/stubs ${CMAKE_CURRENT_SOURCE_DIR}/${interface} ${at}
        DEPENDS ${interface} ${CMAKE_SOURCE_DIR}/tools/stubs VERBATIM)
    set(${list} ${files} PARENT_SCOPE)
endfunction()

function(quoin_headers name folder)
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${CMAKE_CURRENT_SOURCE_DIR}/${folder})
endfunction()

function(quoin_flags target)
    target_compile_options(${target} PRIVATE ${ARGN} $<$<COMPILE_LANGUAGE:C>:${QUOIN_C}>)
endfunction()

# Unit tests of this folder: test/CMakeLists.txt says how, or each test/test_*.c is linked with SOURCES.
function(quoin_unit_tests)
    cmake_parse_arguments(P "" "" "SOURCES;INCLUDES" ${ARGN})
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/test/CMakeLists.txt)
        add_subdirectory(test)
        return()
    endif()
    file(GLOB tests CONFIGURE_DEPENDS test/test_*.c)
    file(GLOB helpers CONFIGURE_DEPENDS test/*.c)
    list(FILTER helpers EXCLUDE REGEX "/(test|fuzz)_[^/]*$")
    if(tests)
        file(RELATIVE_PATH objects ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
        string(REPLACE "/" "." objects host.${objects})
        quoin_host_objects(${objects} SOURCES ${P_SOURCES} ${helpers}
            INCLUDES ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/test ${P_INCLUDES})
    endif()
    foreach(test ${tests})
        quoin_host_test(${test} OBJECTS ${objects} INCLUDES ${P_INCLUDES})
    endforeach()
    file(GLOB fuzzers CONFIGURE_DEPENDS test/fuzz_*.c)
    foreach(fuzzer ${fuzzers})
        quoin_host_fuzzer(${fuzzer} SOURCES ${P_SOURCES} INCLUDES ${P_INCLUDES})
    endforeach()
endfunction()

function(quoin_library name)
    cmake_parse_arguments(P "" "" "USES" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS *.c *.S)
    set_property(GLOBAL PROPERTY quoin_${name}_sources ${sources})
    set_property(GLOBAL PROPERTY quoin_${name}_folder ${CMAKE_CURRENT_SOURCE_DIR})
    if(sources)
        add_library(${name} STATIC ${sources})
        target_include_directories(${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
        target_link_libraries(${name} PUBLIC ${P_USES})
        quoin_flags(${name} ${QUOIN_USER_FLAGS})
    else()
        add_library(${name} INTERFACE)
        target_include_directories(${name} INTERFACE ${CMAKE_CURRENT_SOURCE_DIR})
        target_link_libraries(${name} INTERFACE ${P_USES})
    endif()
    list(FILTER sources EXCLUDE REGEX "\\.S$")
    quoin_unit_tests(SOURCES ${sources})
endfunction()

# Leave beside the ELF file what one wants at hand when it fails: the map (from the linker) and sorted symbols.
function(quoin_leave_symbols target)
    add_custom_command(TARGET ${target} POST_BUILD
        COMMAND ${CMAKE_NM} -n $<TARGET_FILE:${target}> > $<TARGET_FILE:${target}>.sym)
endfunction()

function(quoin_supervisor)
    cmake_parse_arguments(P "" "" "USES" ${ARGN})
    set(script ${CMAKE_CURRENT_SOURCE_DIR}/arch/x86_64/kernel.ld)
    file(GLOB sources CONFIGURE_DEPENDS *.c arch/x86_64/*.c arch/x86_64/*.S arch/x86_64/*.ld)
    list(FILTER sources EXCLUDE REGEX "\\.ld$")
    if(NOT EXISTS ${script})
        message(STATUS "supervisor: no machine yet")
        return()
    endif()
    add_executable(supervisor ${sources})
    set_target_properties(supervisor PROPERTIES OUTPUT_NAME quoin.elf
        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR} LINK_DEPENDS ${script})
    target_include_directories(supervisor PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/arch/x86_64)
    foreach(use ${P_USES})
        get_property(more GLOBAL PROPERTY quoin_${use}_sources)
        get_property(folder GLOBAL PROPERTY quoin_${use}_folder)
        target_sources(supervisor PRIVATE ${more})
        if(folder)
            target_include_directories(supervisor PRIVATE ${folder})
        else()
            target_link_libraries(supervisor PRIVATE ${use})
        endif()
    endforeach()
    # Optimized as one program: small functions of one file are inlined in the others.  The memory functions stay
    # outside, since the compiler makes calls to them itself.
    quoin_flags(supervisor ${QUOIN_SUPERVISOR_FLAGS} -flto)
    set_source_files_properties(${CMAKE_SOURCE_DIR}/lib/base/string.c TARGET_DIRECTORY supervisor
        PROPERTIES COMPILE_OPTIONS -fno-lto)
    target_link_options(supervisor PRIVATE ${QUOIN_SUPERVISOR_FLAGS} -flto -flto-partition=one -nostdlib -static -no-pie -T ${script} -Wl,--gc-sections
        -Wl,-z,noexecstack -Wl,-z,max-page-size=0x1000 -Wl,--build-id=none -Wl,--fatal-warnings
        -Wl,-Map=${CMAKE_BINARY_DIR}/quoin.elf.map)
    quoin_leave_symbols(supervisor)
    add_dependencies(system supervisor)
endfunction()

# A program on musl: its own code may use floating point, the C library's headers are seen, and the library comes
# before lib/base so that memory functions are its own.
function(quoin_link_musl target)
    set(musl ${CMAKE_BINARY_DIR}/musl)
    add_dependencies(${target} musl)
    target_include_directories(${target} SYSTEM PRIVATE ${musl}/include)
    foreach(use ${ARGN})
        target_include_directories(${target} PRIVATE $<TARGET_PROPERTY:${use},INTERFACE_INCLUDE_DIRECTORIES>)
    endforeach()
    quoin_flags(${target} ${QUOIN_OPTIMIZE_LIST} -g -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables
        -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -nostdinc -isystem ${musl}/include -isystem ${QUOIN_GCC_INCLUDE})
    set(libraries c ${ARGN})
    list(FILTER libraries EXCLUDE REGEX "^(abi|linux_headers)$")
    set(files "")
    foreach(library ${libraries})
        add_dependencies(${target} ${library})
        if(NOT library STREQUAL base)
            list(APPEND files $<TARGET_FILE:${library}>)
        endif()
    endforeach()
    target_link_libraries(${target} PRIVATE
        -Wl,--start-group ${files} ${musl}/lib/libc.a $<TARGET_FILE:base> -Wl,--end-group gcc)
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${musl}/lib/libc.a)
endfunction()

function(quoin_appkernel name)
    cmake_parse_arguments(P "LIBC" "" "USES;SOURCES" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS *.c *.S)
    if(NOT sources OR NOT EXISTS ${CMAKE_SOURCE_DIR}/lib/appkernel/appkernel.ld)
        message(STATUS "${name}: no sources yet")
    else()
        set(script ${CMAKE_SOURCE_DIR}/lib/appkernel/appkernel.ld)
        set(target kernel.${name})
        add_executable(${target} ${sources} ${P_SOURCES})
        set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name}.elf
            RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/debug LINK_DEPENDS ${script})
        target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
        if(P_LIBC)
            quoin_link_musl(${target} ${P_USES})
        else()
            target_link_libraries(${target} PRIVATE ${P_USES} gcc)
            quoin_flags(${target} ${QUOIN_USER_FLAGS})
        endif()
        target_link_options(${target} PRIVATE -nostdlib -static -no-pie -T ${script} -Wl,--gc-sections
            -Wl,-z,max-page-size=0x200000 -Wl,-z,noexecstack -Wl,--build-id=none -Wl,--fatal-warnings
            -Wl,-Map=${CMAKE_BINARY_DIR}/debug/${name}.elf.map)
        quoin_leave_symbols(${target})
        add_custom_command(TARGET ${target} POST_BUILD BYPRODUCTS ${CMAKE_BINARY_DIR}/kernels/${name}
            COMMAND ${CMAKE_OBJCOPY} --strip-all $<TARGET_FILE:${target}> ${CMAKE_BINARY_DIR}/kernels/${name})
        if(NOT CMAKE_CURRENT_SOURCE_DIR MATCHES "/(tests|bench)/")
            add_dependencies(system ${target})
        endif()
    endif()
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/test/CMakeLists.txt)
        add_subdirectory(test)           # a program as a whole does not run on the host: it says what to test
    endif()
endfunction()

# A native program: of the sources given, or of those in the folder.
function(quoin_program name)
    cmake_parse_arguments(P "" "SCRIPT" "USES;SOURCES" ${ARGN})
    if(NOT P_SOURCES)
        file(GLOB P_SOURCES CONFIGURE_DEPENDS *.c *.S)
    endif()
    set(script ${CMAKE_SOURCE_DIR}/lib/native/native.ld)
    if(P_SCRIPT)
        set(script ${P_SCRIPT})
    endif()
    set(target program.${name})
    set(flags ${QUOIN_USER_FLAGS} -fno-math-errno -ffp-contract=off)
    list(REMOVE_ITEM flags -mgeneral-regs-only)
    add_executable(${target} ${P_SOURCES})
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name}.elf
        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/debug LINK_DEPENDS ${script})
    target_link_libraries(${target} PRIVATE ${P_USES} native gcc)
    quoin_flags(${target} ${flags})
    target_link_options(${target} PRIVATE -nostdlib -static -no-pie -T ${script} -Wl,--gc-sections
        -Wl,-z,max-page-size=0x1000 -Wl,-z,noexecstack -Wl,--build-id=none -Wl,--fatal-warnings)
    quoin_leave_symbols(${target})
    add_custom_command(TARGET ${target} POST_BUILD BYPRODUCTS ${CMAKE_BINARY_DIR}/programs/${name}
        COMMAND ${CMAKE_OBJCOPY} --strip-all $<TARGET_FILE:${target}> ${CMAKE_BINARY_DIR}/programs/${name})
    if(NOT CMAKE_CURRENT_SOURCE_DIR MATCHES "/(tests|bench)/")
        add_dependencies(system ${target})
    endif()
endfunction()

find_program(QUOIN_MUSL_GCC musl-gcc)
function(quoin_linux_program source libc)
    cmake_parse_arguments(P "" "FOLDER" "FLAGS;SOURCES" ${ARGN})
    get_filename_component(name ${source} NAME_WE)
    if(NOT P_FOLDER)
        set(P_FOLDER tests/linux)
    endif()
    set(compiler ${QUOIN_MUSL_GCC} -idirafter ${QUOIN_LINUX_HEADERS})
    if(libc STREQUAL glibc)
        string(APPEND name .glibc)
        set(compiler ${CMAKE_C_COMPILER})
    endif()
    if(NOT compiler)
        message(STATUS "${name}: needs musl-tools")
        return()
    endif()
    set(output ${CMAKE_BINARY_DIR}/${P_FOLDER}/${name})
    add_custom_command(OUTPUT ${output} DEPFILE ${output}.d
        COMMAND ${compiler} -static -std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Wno-format-truncation -Werror -pthread -MMD -MF ${output}.d
            -MT ${output} ${P_FLAGS} ${source} ${P_SOURCES} -o ${output}
        DEPENDS ${source} ${P_SOURCES} VERBATIM)
    string(REPLACE "/" "." folder ${P_FOLDER})
    add_custom_target(${folder}.${name} ALL DEPENDS ${output})
endfunction()

# How everything of a host test is compiled.
function(quoin_host_flags target)
    cmake_parse_arguments(P "" "" "INCLUDES;DEFINES" ${ARGN})
    target_include_directories(${target} PRIVATE ${P_INCLUDES} ${CMAKE_SOURCE_DIR}/abi/include ${CMAKE_SOURCE_DIR}/lib/base)
    target_compile_definitions(${target} PRIVATE QUOIN_HOST=1 ${P_DEFINES})
    target_compile_options(${target} PRIVATE ${QUOIN_C} -O1 -g -fno-omit-frame-pointer)
    if(QUOIN_SANITIZE)
        target_compile_options(${target} PRIVATE -fsanitize=${QUOIN_SANITIZE} -fno-sanitize-recover=all)
    endif()
    if(QUOIN_COVERAGE)
        target_compile_options(${target} PRIVATE --coverage)
    endif()
endfunction()

function(quoin_host_objects name)
    cmake_parse_arguments(P "" "" "SOURCES;INCLUDES;DEFINES" ${ARGN})
    add_library(${name} OBJECT EXCLUDE_FROM_ALL ${P_SOURCES})
    quoin_host_flags(${name} INCLUDES ${P_INCLUDES} DEFINES ${P_DEFINES})
endfunction()

find_library(QUOIN_CMOCKA cmocka)
function(quoin_host_test test)
    cmake_parse_arguments(P "" "OBJECTS" "SOURCES;INCLUDES;DEFINES" ${ARGN})
    if(NOT QUOIN_CMOCKA)
        message(STATUS "${test}: needs libcmocka-dev")
        return()
    endif()
    get_filename_component(test ${test} ABSOLUTE)
    get_filename_component(name ${test} NAME_WE)
    get_filename_component(folder ${test} DIRECTORY)
    get_filename_component(module ${folder}/.. ABSOLUTE)
    file(RELATIVE_PATH path ${CMAKE_SOURCE_DIR} ${module})
    string(REPLACE "/" "." path ${path})
    string(REGEX REPLACE "^test_" "" name ${name})
    set(target unit.${path}.${name})
    add_executable(${target} ${test} ${P_SOURCES})
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/unit)
    quoin_host_flags(${target} INCLUDES ${module} ${folder} ${P_INCLUDES} DEFINES ${P_DEFINES})
    if(P_OBJECTS)
        target_sources(${target} PRIVATE $<TARGET_OBJECTS:${P_OBJECTS}>)
    endif()
    if(QUOIN_SANITIZE)
        target_link_options(${target} PRIVATE -fsanitize=${QUOIN_SANITIZE})
    endif()
    if(QUOIN_COVERAGE)
        target_link_options(${target} PRIVATE --coverage)
    endif()
    target_link_libraries(${target} PRIVATE ${QUOIN_CMOCKA} pthread)
    add_test(NAME ${target} COMMAND ${target})
    set_tests_properties(${target} PROPERTIES TIMEOUT 600 LABELS unit)
endfunction()

find_program(QUOIN_CLANG clang)
function(quoin_host_fuzzer fuzzer)
    cmake_parse_arguments(P "" "" "SOURCES;INCLUDES;DEFINES" ${ARGN})
    if(NOT QUOIN_CLANG)
        message(STATUS "${fuzzer}: needs clang")
        return()
    endif()
    get_filename_component(fuzzer ${fuzzer} ABSOLUTE)
    set(sources "")
    foreach(source ${P_SOURCES})
        get_filename_component(source ${source} ABSOLUTE)
        list(APPEND sources ${source})
    endforeach()
    get_filename_component(name ${fuzzer} NAME_WE)
    get_filename_component(folder ${fuzzer} DIRECTORY)
    get_filename_component(module ${folder}/.. ABSOLUTE)
    file(RELATIVE_PATH path ${CMAKE_SOURCE_DIR} ${module})
    string(REPLACE "/" "." path ${path})
    string(REGEX REPLACE "^fuzz_" "" name ${name})
    set(target fuzz.${path}.${name})
    set(output ${CMAKE_BINARY_DIR}/tests/unit/${target})
    list(TRANSFORM P_DEFINES PREPEND -D)
    set(includes ${module} ${folder} ${P_INCLUDES} ${CMAKE_SOURCE_DIR}/abi/include ${CMAKE_SOURCE_DIR}/lib/base)
    list(TRANSFORM includes PREPEND -I)
    file(GLOB headers CONFIGURE_DEPENDS ${module}/*.h ${folder}/*.h ${CMAKE_SOURCE_DIR}/abi/include/abi/*)
    add_custom_command(OUTPUT ${output}
        COMMAND ${QUOIN_CLANG} -std=gnu11 -O1 -g -DQUOIN_HOST=1 ${P_DEFINES} ${includes}
            -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Wno-everything
            ${fuzzer} ${sources} -o ${output}
        DEPENDS ${fuzzer} ${sources} ${headers} VERBATIM)
    add_custom_target(${target} ALL DEPENDS ${output})
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/tests/unit)
    add_test(NAME ${target} COMMAND ${output} -max_total_time=10 -seed=1 -print_final_stats=1)
    set_tests_properties(${target} PROPERTIES TIMEOUT 120 LABELS "unit;fuzz")
endfunction()

# quoin_models(): each Spin model in the caller's folder `model` is a test.
function(quoin_models)
    file(GLOB models CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/model/*.pml)
    foreach(model ${models})
        get_filename_component(name ${model} NAME_WE)
        add_test(NAME model.${name} COMMAND ${CMAKE_SOURCE_DIR}/tools/model ${model} ${CMAKE_CURRENT_BINARY_DIR}/model)
        set_tests_properties(model.${name} PROPERTIES TIMEOUT 900 COST 300)
    endforeach()
endfunction()
