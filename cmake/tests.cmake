# How tests are registered. Every test runs in the source folder, so that it finds examples/ and
# migrations/; what it writes goes under $TMPDIR.

add_custom_target(tsan_tests) # all that script/test runs under the thread sanitizer

# sluice_test(NAME LABEL libraries... [THREADED] [ALONE]): one executable NAME from NAME.c. THREADED
# adds the label tsan: script/test runs those under the thread sanitizer too. ALONE: nothing runs
# beside it, for it stops a service that others use.
function(sluice_test name label)
    set(libs ${ARGN})
    set(labels ${label})
    if(THREADED IN_LIST libs)
        list(REMOVE_ITEM libs THREADED)
        list(APPEND labels tsan)
    endif()
    set(alone FALSE)
    if(ALONE IN_LIST libs)
        list(REMOVE_ITEM libs ALONE)
        set(alone TRUE)
    endif()
    add_executable(${name} ${name}.c)
    if(tsan IN_LIST labels)
        add_dependencies(tsan_tests ${name})
    endif()
    target_link_libraries(${name} PRIVATE ${libs})
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES
        LABELS "${labels}" TIMEOUT 300 RUN_SERIAL ${alone} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
endfunction()

# sluice_unit_test(test_buf base)
function(sluice_unit_test name)
    sluice_test(${name} unit ${ARGN} pkg::cmocka)
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/unit)
endfunction()
