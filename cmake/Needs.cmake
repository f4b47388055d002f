# Every library the programs are built on, each with the Debian package that brings it.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

macro(rms_needs prefix spec package)
  pkg_check_modules(${prefix} IMPORTED_TARGET ${spec})
  if(NOT ${prefix}_FOUND)
    message(FATAL_ERROR "${spec} was not found. On Debian: apt-get install ${package}")
  endif()
endmacro()

rms_needs(UV      libuv>=1.44      libuv1-dev)
rms_needs(CARES   libcares>=1.18   libc-ares-dev)
rms_needs(EXPAT   expat            libexpat1-dev)
rms_needs(YAML    yaml-0.1         libyaml-dev)
rms_needs(JANSSON jansson          libjansson-dev)
rms_needs(LMDB    lmdb             liblmdb-dev)
find_package(BoringSSL REQUIRED)
find_package(LLHTTP REQUIRED)
