# Writes text files as string_view constants: NAMES are those of the constants, INPUTS the files, one for each; HEADER
# declares them.
set(text "#include \"${HEADER}\"\n\nnamespace diskrelease {\n\n")
foreach(name input IN ZIP_LISTS NAMES INPUTS)
  file(READ "${input}" content)
  # Compilers need not take literals of more than 64 KiB; these are far from it.
  string(APPEND text "const std::string_view ${name} = R\"__text__(${content})__text__\";\n\n")
endforeach()
string(APPEND text "}  // namespace diskrelease\n")
file(WRITE "${OUTPUT}" "${text}")
