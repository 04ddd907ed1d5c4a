# sluice_layer(NAME libraries...): the static library of one folder of src/, from every .c in it
# but main.c. Naming what it may link keeps a wrong call from linking; script/check/layers keeps a
# wrong include from compiling. A folder without sources is an empty interface.
function(sluice_layer name)
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
    list(FILTER sources EXCLUDE REGEX "/main\\.c$")
    if(sources)
        add_library(${name} STATIC ${sources})
        target_link_libraries(${name} PUBLIC ${ARGN})
    else()
        add_library(${name} INTERFACE)
        target_link_libraries(${name} INTERFACE ${ARGN})
    endif()
endfunction()
