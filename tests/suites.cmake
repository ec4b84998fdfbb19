# Read by ctest whenever it starts: asks the test program which tests it has, and makes an entry for
# each suite. A process for each single test would spend more time on starting than on testing.
#
# DISKRELEASE_TESTS=REGEX in the environment narrows the entries to the tests "Suite.Test" that match.
# results/ tells afterwards what was to be run (selected.txt) and what was (one XML file an entry).

cmake_minimum_required(VERSION 3.25)

# Suites that run long: a regular expression for their names, into how many processes they are
# divided, how much of a processor each takes (4: all of it; 1: it waits nearly all the time, and runs
# beside others), and their cost: the dearest start first, so that all processors are busy to the end.
# All others are 1, 4 and 1.
set(long_suites
  "^Fault/FaultOnReadingBack" 2 1 2000
  "^Shards/KillTest$"         2 4 1000
  "^Shards/Simulation$"       8 4 900
  "^StorageFaultTest$"        4 4 800
  "^ReleaseTest$"             2 4 600
  "^HttpsTransportTest$"      2 4 500)

file(REMOVE_RECURSE "${results}")
file(MAKE_DIRECTORY "${results}")
set(list "${results}/list")
execute_process(COMMAND "${program}" --gtest_list_tests "--gtest_output=xml:${list}"
                OUTPUT_QUIET RESULT_VARIABLE status)
if(NOT status STREQUAL "0" OR NOT EXISTS "${list}")
  # An entry that cannot be run, so that ctest fails.
  add_test(diskrelease_tests_CANNOT_BE_LISTED "${program}" --gtest_list_tests)
  return()
endif()
# Parameters may hold any character: nothing but the names is taken out.
file(READ "${list}" xml)
file(REMOVE "${list}")
string(REGEX MATCHALL "<test(suite|case) name=\"[^\"]*\"" names "${xml}")

# make_entries(SUITE FILTER COUNT)
macro(make_entries suite filter count)
  set(shards 1)
  set(share 4)
  set(cost 1)
  set(rest ${long_suites})
  while(rest)
    list(POP_FRONT rest pattern its_shards its_share its_cost)
    if("${suite}" MATCHES "${pattern}")
      set(shards ${its_shards})
      set(share ${its_share})
      set(cost ${its_cost})
    endif()
  endwhile()
  if(shards GREATER ${count})
    set(shards ${count})
  endif()
  math(EXPR last "${shards} - 1")
  foreach(shard RANGE ${last})
    set(entry "${suite}")
    if(last GREATER 0)
      math(EXPR number "${shard} + 1")
      string(APPEND entry ".${number}of${shards}")
    endif()
    string(REPLACE "/" "." file "${entry}")
    add_test("${entry}" "${program}" "--gtest_filter=${filter}"
             "--gtest_output=xml:${results}/${file}.xml")
    set_tests_properties("${entry}" PROPERTIES COST ${cost} PROCESSORS ${share} TIMEOUT 1800
                         ENVIRONMENT "GTEST_TOTAL_SHARDS=${shards};GTEST_SHARD_INDEX=${shard}")
  endforeach()
endmacro()

macro(end_suite)
  if(NOT "${tests}" STREQUAL "")
    list(LENGTH tests count)
    if(count EQUAL all)
      set(filter "${suite}.*")
    else()
      list(TRANSFORM tests PREPEND "${suite}.")
      list(JOIN tests ":" filter)
    endif()
    make_entries("${suite}" "${filter}" ${count})
  endif()
  set(tests)
  set(all 0)
endmacro()

set(wanted "$ENV{DISKRELEASE_TESTS}")
if(wanted STREQUAL "")
  set(wanted ".")
endif()
set(tests)
set(all 0)
set(selected)
foreach(name IN LISTS names)
  string(REGEX MATCH "^<test(suite|case) name=\"(.*)\"$" kind "${name}")
  set(kind "${CMAKE_MATCH_1}")
  set(name "${CMAKE_MATCH_2}")
  if(kind STREQUAL "suite")
    end_suite()
    set(suite "${name}")
  else()
    math(EXPR all "${all} + 1")
    if("${suite}.${name}" MATCHES "${wanted}")
      list(APPEND tests "${name}")
      string(APPEND selected "${suite}.${name}\n")
    endif()
  endif()
endforeach()
end_suite()
file(WRITE "${results}/selected.txt" "${selected}")
