#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/run_record.h"
#include "model/target.h"
#include "store/database.h"

namespace diskrelease {

/// Turns a list into a run. Targets are staged in temporary files, so memory stays flat for any
/// number of them; nothing of a run exists in the database until commit().
class Enrolment {
 public:
  /// The database must outlive the enrolment; nothing else may use the connection meanwhile.
  explicit Enrolment(Database& database);
  ~Enrolment();
  Enrolment(const Enrolment&) = delete;
  Enrolment& operator=(const Enrolment&) = delete;

  void add(const Target& target);

  struct Duplicate {
    std::int64_t line = 0;
    std::int64_t first_line = 0;
    std::string disk_id;
  };

  /// What the staged list holds. Call once, after the last add().
  struct Staged {
    std::int64_t items = 0;
    std::int64_t duplicates = 0;
    /// SHA-256 over each different disk id followed by a line feed, in list order.
    std::string sha256;
    std::vector<Duplicate> first_duplicates;  ///< at most 20
  };
  [[nodiscard]] Staged finish();

  /// Enrols the staged targets: run, items and duplicate lines in one transaction, durable on
  /// return. Precondition: finish() has returned and has counted at least one item.
  [[nodiscard]] RunRecord commit(const RunDescription& description, UtcTime now);

 private:
  struct Private;
  std::unique_ptr<Private> private_;
};

}  // namespace diskrelease
