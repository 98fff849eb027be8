# The build's vocabulary: sluice_library(), sluice_test().

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(sluice_options INTERFACE)
target_compile_options(sluice_options INTERFACE -Wall -Wextra -Werror)
target_include_directories(sluice_options INTERFACE ${CMAKE_SOURCE_DIR}/server ${CMAKE_SOURCE_DIR})
find_program(LLD ld.lld)
if(LLD)
  target_link_options(sluice_options INTERFACE -fuse-ld=lld)
endif()
# Of what a library holds, a program keeps what it uses: less memory in every pod.
add_compile_options(-ffunction-sections -fdata-sections)
add_link_options(-Wl,--gc-sections)
if(SLUICE_SANITIZE)
  # GCC takes what it has instrumented itself for a use of what is not initialized.
  add_compile_options(-fsanitize=${SLUICE_SANITIZE} -fno-omit-frame-pointer -Wno-maybe-uninitialized)
  add_link_options(-fsanitize=${SLUICE_SANITIZE})
endif()

# sluice_library(NAME [SMALL] SOURCES a.cc b.cc DEPS lib...): the static library of one folder. Tests (x_test.cc) are left
# out. SMALL: nothing in it is on a message's way, so it is built to take little memory.
function(sluice_library name)
  cmake_parse_arguments(ARG "SMALL" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE sluice_options)
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/server)
  if(ARG_SMALL)
    target_compile_options(${name} PRIVATE -Os)
  endif()
endfunction()

# sluice_test(NAME [BUSY] SOURCES a_test.cc DEPS lib... [LABEL unit|core|integration] [TIMEOUT seconds]): one program of GoogleTests, each
# test run by ctest on its own. Declared anywhere; built only with SLUICE_TESTS. Its own sources are compiled without optimizing, in
# half the time; BUSY: with it, as it runs for long.
function(sluice_test name)
  if(SLUICE_TESTS)
    set_property(GLOBAL APPEND PROPERTY SLUICE_TESTS_DECLARED ${name})
    set_property(GLOBAL PROPERTY SLUICE_TEST_${name} "DIR;${CMAKE_CURRENT_SOURCE_DIR};${ARGN}")
  endif()
endfunction()

# Makes the programs that sluice_test() declared. Last, when every library is known.
function(sluice_add_tests)
  get_property(names GLOBAL PROPERTY SLUICE_TESTS_DECLARED)
  foreach(name ${names})
    get_property(args GLOBAL PROPERTY SLUICE_TEST_${name})
    cmake_parse_arguments(ARG "BUSY" "DIR;LABEL;TIMEOUT" "SOURCES;DEPS" ${args})
    list(TRANSFORM ARG_SOURCES PREPEND ${ARG_DIR}/)
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE ${ARG_DEPS} sluice_options GTest::gmock GTest::gtest_main)
    if(NOT ARG_BUSY)
      target_compile_options(${name} PRIVATE -O0)
    endif()
    if(NOT ARG_TIMEOUT)
      set(ARG_TIMEOUT 60)
    endif()
    if(NOT ARG_LABEL)
      set(ARG_LABEL unit)
    endif()
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
      PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS ${ARG_LABEL})
  endforeach()
endfunction()
