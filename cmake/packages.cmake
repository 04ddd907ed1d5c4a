# The libraries we stand on, all from the distribution: targets pkg::<name>.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# sluice_package(uv libuv): the first of the pkg-config names that exists becomes pkg::uv.
function(sluice_package name)
    pkg_search_module(${name} REQUIRED IMPORTED_TARGET GLOBAL ${ARGN})
    add_library(pkg::${name} ALIAS PkgConfig::${name})
endfunction()

sluice_package(websockets libwebsockets)
sluice_package(uv libuv)
sluice_package(libpq libpq)
sluice_package(cjson libcjson)
sluice_package(sqlite sqlite3)
sluice_package(lua lua5.4 lua-5.4)
sluice_package(pcre2 libpcre2-8)
sluice_package(yaml yaml-0.1)
sluice_package(zlib zlib)
sluice_package(lz4 liblz4)
sluice_package(curl libcurl)
sluice_package(hiredis hiredis)
sluice_package(openssl openssl)
sluice_package(jwt libjwt)
sluice_package(glib glib-2.0) # time zones of schedules
pkg_search_module(hiredis_ssl IMPORTED_TARGET GLOBAL hiredis_ssl) # Debian 13
if(SLUICE_TESTS)
    sluice_package(cmocka cmocka)
endif()
