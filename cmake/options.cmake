# Compiler and linker options of every target.

add_compile_definitions(_GNU_SOURCE SLUICE_VERSION="${PROJECT_VERSION}")
include_directories(${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)

add_compile_options(
    -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wvla
    -Wpointer-arith -Wwrite-strings -Wundef -Wformat=2 -Wimplicit-fallthrough
    -Wdouble-promotion
    -fno-strict-aliasing -fno-common -fstack-protector-strong)
if(SLUICE_WERROR)
    add_compile_options(-Werror)
endif()

if(SLUICE_SANITIZE)
    add_compile_options(-fsanitize=${SLUICE_SANITIZE} -fno-omit-frame-pointer
                        -fno-sanitize-recover=all -g)
    add_link_options(-fsanitize=${SLUICE_SANITIZE})
    # What the optimiser knows after the sanitizers' rewriting gives false alarms.
    add_compile_options(-Wno-maybe-uninitialized)
    if(CMAKE_C_COMPILER_ID MATCHES Clang)
        add_compile_options(-Wno-unknown-warning-option)
    endif()
endif()
if(SLUICE_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
    add_link_options(-fsanitize=fuzzer-no-link)
endif()

if(CMAKE_BUILD_TYPE STREQUAL Release)
    # -U first: some distributions set a level of their own.
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
    add_link_options(-Wl,-z,relro,-z,now)
    if(SLUICE_SYMBOLS)
        add_compile_options(-g1 -fno-omit-frame-pointer)
    else()
        add_link_options(-s)
    endif()
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()
