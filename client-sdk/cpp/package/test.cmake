# Installs the client from BUILD into an empty folder, and builds and runs the project SOURCE with it there.
set(DIR ${BUILD}/client-package-test)
file(REMOVE_RECURSE ${DIR})
file(COPY ${SOURCE}/ DESTINATION ${DIR}/app)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "failed (${result}): ${ARGN}")
  endif()
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --component client --prefix ${DIR}/prefix)
run(${CMAKE_COMMAND} -S ${DIR}/app -B ${DIR}/build -G Ninja -DCMAKE_PREFIX_PATH=${DIR}/prefix
    -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_CXX_FLAGS=${FLAGS})
run(${CMAKE_COMMAND} --build ${DIR}/build)
run(${DIR}/build/app)
