#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "report/html.h"

namespace diskrelease {

/// What a colour stands for.
struct ChartSeries {
  Markup css_class;  ///< of the page's style: "accepted", "unknown"
  std::string name;
};

/// Stacked columns, side by side.
struct ColumnChart {
  int id = 0;  ///< another one for each chart of a page
  std::string title;
  std::string description;  ///< says in words what the picture shows
  std::string x_label;
  std::string y_label;
  std::vector<ChartSeries> series;
  struct Column {
    std::string label;                 ///< shown where there is room
    std::vector<std::int64_t> values;  ///< as many as series, from below; none negative
  };
  std::vector<Column> columns;
  /// A line across, in units of the values; left out where it is far above all columns.
  std::optional<double> limit;
  std::string limit_label;
};

/// An inline SVG image with a title and a description, below a legend where there are several
/// series. The exact numbers are for a table beside it.
void write_column_chart(Html& page, const ColumnChart& chart);

/// One bar of parts that add up to the whole.
struct ShareBar {
  int id = 0;
  std::string title;
  std::string description;
  struct Part {
    Markup css_class;
    std::string name;
    std::int64_t value = 0;  ///< not negative
  };
  std::vector<Part> parts;
};
void write_share_bar(Html& page, const ShareBar& bar);

}  // namespace diskrelease
