// Private to audit.
#pragma once

#include <string_view>

#include "queries/run_queries.h"

namespace diskrelease {

/// Selects what item_row() reads; a condition on item_state follows.
inline constexpr std::string_view k_select_item_rows =
    "SELECT item_id, disk_id, source_line, state, attempts, last_outcome, last_http_status,"
    " last_api_code, last_request_id, last_message, decision_reason, settled, verified,"
    " last_status FROM item_state";

[[nodiscard]] ItemRow item_row(const Statement& row);

}  // namespace diskrelease
