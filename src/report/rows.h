#pragma once

#include "report/table.h"
#include "store/database.h"

namespace diskrelease {

/// A column of the present row. A blob is written as SQL has it, x'..'.
[[nodiscard]] Cell cell_of(const Statement& row, int column);

}  // namespace diskrelease
