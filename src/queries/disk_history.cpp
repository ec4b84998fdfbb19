#include "queries/disk_history.h"

namespace diskrelease {
namespace {

std::vector<DiskEvent> read_events(Database& database, const std::string& disk) {
  Statement select = database.prepare(
      "SELECT utc_ms, kind, what, code, request_id, detail, disk_history.run_id, item_id,"
      " attempt_number, invocation_id, command, user, host, credential_id"
      " FROM disk_history LEFT JOIN invocation USING (invocation_id)"
      " WHERE disk_id = ?1 ORDER BY utc_ms, entry, attempt_number");
  select.bind(1, disk);
  std::vector<DiskEvent> events;
  while (select.step()) {
    DiskEvent event;
    event.time = select.utc(0);
    event.kind = select.text(1);
    event.what = select.text(2);
    event.code = select.text(3);
    event.request_id = select.text(4);
    event.detail = select.text(5);
    event.run_id = select.integer(6);
    event.item_id = select.integer(7);
    event.attempt_number = select.optional_integer(8);
    event.invocation_id = select.optional_integer(9);
    event.command = select.text(10);
    event.user = select.text(11);
    event.host = select.text(12);
    event.credential_id = select.text(13);
    events.push_back(std::move(event));
  }
  return events;
}

}  // namespace

DiskHistory read_disk_history(Database& database, const std::string& disk) {
  const Snapshot snapshot(database);
  DiskHistory history;
  history.events = read_events(database, disk);
  Statement select = database.prepare(
      "SELECT item_state.run_id, run.name, run.goal, run.endpoint, state, verified, last_status"
      " FROM item_state JOIN run USING (run_id)"
      " WHERE item_id IN (SELECT item_id FROM disk_item WHERE disk_id = ?1) ORDER BY 1");
  select.bind(1, disk);
  while (select.step()) {
    DiskItem item;
    item.run_id = select.integer(0);
    item.run_name = select.text(1);
    item.goal = select.text(2);
    item.endpoint = select.text(3);
    item.state = select.text(4);
    item.verified = select.text(5);
    item.last_status = select.text(6);
    history.items.push_back(std::move(item));
  }
  return history;
}

}  // namespace diskrelease
