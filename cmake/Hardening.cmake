# Warnings, hardening and sanitizers for all our own code, as one interface target.
add_library(rms_flags INTERFACE)
target_include_directories(rms_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(rms_flags INTERFACE _GNU_SOURCE
  RMS_VERSION="${PROJECT_VERSION}" $<$<BOOL:${RMS_TEST_SWITCHES}>:RMS_TEST_SWITCHES=1>)
target_compile_options(rms_flags INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wundef -Wvla
  -Wcast-qual -Wformat=2 -Wimplicit-fallthrough -Wno-unused-parameter
  -fno-common -fno-strict-aliasing -fno-omit-frame-pointer -fstack-protector-strong)
if(RMS_SANITIZE)
  target_compile_options(rms_flags INTERFACE -fsanitize=${RMS_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(rms_flags INTERFACE -fsanitize=${RMS_SANITIZE})
else()
  target_compile_options(rms_flags INTERFACE $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2>)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64")
    target_compile_options(rms_flags INTERFACE -fstack-clash-protection -fcf-protection)
  endif()
endif()
target_link_options(rms_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed)
if(RMS_FUZZ)
  target_compile_options(rms_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(rms_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# rms_library(NAME FOLDER LIBS...): all the C files of one folder; a floor is a library, so a link error shows a broken floor too.
function(rms_library name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  if(NOT sources)
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE rms_flags ${ARGN})
    return()
  endif()
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC rms_flags ${ARGN})
endfunction()
