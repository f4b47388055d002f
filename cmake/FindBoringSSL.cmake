# BoringSSL as Debian ships it: shared libraries in a private directory, found nowhere else by the loader.
# BoringSSL_ROOT names another build (include/, lib/ or build output); defines BoringSSL::SSL, BoringSSL::Crypto, boringssl_rpath().
find_path(BoringSSL_INCLUDE_DIR NAMES openssl/is_boringssl.h openssl/base.h
  HINTS ${BoringSSL_ROOT}/include PATHS /usr/include/android NO_DEFAULT_PATH)
find_library(BoringSSL_SSL_LIBRARY NAMES ssl
  HINTS ${BoringSSL_ROOT}/lib ${BoringSSL_ROOT}/build/ssl ${BoringSSL_ROOT}/build
  PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/android NO_DEFAULT_PATH)
find_library(BoringSSL_CRYPTO_LIBRARY NAMES crypto
  HINTS ${BoringSSL_ROOT}/lib ${BoringSSL_ROOT}/build/crypto ${BoringSSL_ROOT}/build
  PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/android NO_DEFAULT_PATH)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(BoringSSL
  REQUIRED_VARS BoringSSL_INCLUDE_DIR BoringSSL_SSL_LIBRARY BoringSSL_CRYPTO_LIBRARY
  REASON_FAILURE_MESSAGE "install the Debian package android-libboringssl-dev, or set BoringSSL_ROOT to a newer build")
if(BoringSSL_FOUND AND NOT TARGET BoringSSL::Crypto)
  get_filename_component(BoringSSL_LIBRARY_DIR "${BoringSSL_SSL_LIBRARY}" DIRECTORY)
  # IMPORTED_NO_SYSTEM: the headers must come as -I, so that they win over /usr/include/openssl where libssl-dev is installed.
  add_library(BoringSSL::Crypto UNKNOWN IMPORTED)
  set_target_properties(BoringSSL::Crypto PROPERTIES
    IMPORTED_LOCATION "${BoringSSL_CRYPTO_LIBRARY}"
    IMPORTED_NO_SYSTEM TRUE
    INTERFACE_INCLUDE_DIRECTORIES "${BoringSSL_INCLUDE_DIR}")
  add_library(BoringSSL::SSL UNKNOWN IMPORTED)
  set_target_properties(BoringSSL::SSL PROPERTIES
    IMPORTED_LOCATION "${BoringSSL_SSL_LIBRARY}"
    IMPORTED_NO_SYSTEM TRUE
    INTERFACE_INCLUDE_DIRECTORIES "${BoringSSL_INCLUDE_DIR}"
    INTERFACE_LINK_LIBRARIES BoringSSL::Crypto)
endif()
# Linking by path without a run path builds and then fails at start: call this for every executable that uses BoringSSL.
function(boringssl_rpath tgt)
  set_property(TARGET ${tgt} APPEND PROPERTY BUILD_RPATH "${BoringSSL_LIBRARY_DIR}")
  set_property(TARGET ${tgt} APPEND PROPERTY INSTALL_RPATH "${BoringSSL_LIBRARY_DIR}")
endfunction()
