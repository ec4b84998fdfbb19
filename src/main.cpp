#include "cli/commands.h"

int main(int argc, char** argv) { return diskrelease::run_program(argc, argv); }
