#include "report/svg_chart.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace diskrelease {
namespace {

// Units of the picture, about a pixel each on a wide screen.
constexpr double k_width = 960;
constexpr double k_height = 270;
constexpr double k_left = 64;
constexpr double k_right = 12;
constexpr double k_top = 32;
constexpr double k_bottom = 52;
constexpr double k_plot_width = k_width - k_left - k_right;
constexpr double k_plot_height = k_height - k_top - k_bottom;
constexpr double k_letter_width = 7;
constexpr double k_widest_column = 48;
constexpr double k_least_height = 2;
constexpr int k_grid_lines = 4;

/// A limit this many times above the highest column would make all of them flat.
constexpr double k_limit_in_sight = 3;

/// The next of 1, 2, 5, 10, 20, ...
double round_step(double least) {
  double power = std::pow(10, std::floor(std::log10(std::max(least, 1.0))));
  for (const double step : {1.0, 2.0, 5.0}) {
    if (step * power >= least) return step * power;
  }
  return 10 * power;
}

std::int64_t total(const ColumnChart::Column& column) {
  std::int64_t sum = 0;
  for (const std::int64_t value : column.values) sum += value;
  return sum;
}

void begin_image(Html& page, int id, const std::string& title, const std::string& description,
                 double height) {
  page.raw("<svg class=\"chart\" role=\"img\" viewBox=\"0 0 ")
      .number(k_width)
      .raw(" ")
      .number(height)
      .raw("\" aria-labelledby=\"chart-title-")
      .number(id)
      .raw(" chart-text-")
      .number(id)
      .raw("\">\n<title id=\"chart-title-")
      .number(id)
      .raw("\">")
      .text(title)
      .raw("</title>\n<desc id=\"chart-text-")
      .number(id)
      .raw("\">")
      .text(description)
      .raw("</desc>\n");
}

void write_rectangle(Html& page, Markup css_class, double x, double y, double width,
                     double height) {
  page.raw("<rect class=\"")
      .raw(css_class)
      .raw("\" x=\"")
      .number(x)
      .raw("\" y=\"")
      .number(y)
      .raw("\" width=\"")
      .number(width)
      .raw("\" height=\"")
      .number(height)
      .raw("\"/>");
}

void write_line(Html& page, Markup css_class, double x_from, double x_to, double y) {
  page.raw("<line class=\"")
      .raw(css_class)
      .raw("\" x1=\"")
      .number(x_from)
      .raw("\" x2=\"")
      .number(x_to)
      .raw("\" y1=\"")
      .number(y)
      .raw("\" y2=\"")
      .number(y)
      .raw("\"/>");
}

/// `anchor`: start, middle or end.
void write_label(Html& page, Markup anchor, double x, double y, std::string_view text) {
  page.raw("<text text-anchor=\"")
      .raw(anchor)
      .raw("\" x=\"")
      .number(x)
      .raw("\" y=\"")
      .number(y)
      .raw("\">")
      .text(text)
      .raw("</text>\n");
}

/// Of the series that occur.
void write_legend(Html& page, const ColumnChart& chart) {
  page.raw("<ul class=\"legend\">");
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    const ChartSeries& one = chart.series[i];
    const auto has_it = [&](const ColumnChart::Column& column) { return column.values[i] > 0; };
    if (std::ranges::none_of(chart.columns, has_it)) continue;
    page.raw("<li><span class=\"swatch ")
        .raw(one.css_class)
        .raw("\"></span>")
        .text(one.name)
        .raw("</li>");
  }
  page.raw("</ul>\n");
}

}  // namespace

void write_column_chart(Html& page, const ColumnChart& chart) {
  std::int64_t highest = 1;
  std::size_t longest_label = 1;
  for (const ColumnChart::Column& column : chart.columns) {
    highest = std::max(highest, total(column));
    longest_label = std::max(longest_label, column.label.size());
  }
  double top = static_cast<double>(highest);
  const bool shows_limit = chart.limit && *chart.limit <= top * k_limit_in_sight;
  if (shows_limit) top = std::max(top, *chart.limit);
  const double step = round_step(top / k_grid_lines);
  const double scale = k_plot_height / (std::ceil(top / step) * step);
  const double ground = k_top + k_plot_height;

  if (chart.series.size() > 1) write_legend(page, chart);
  begin_image(page, chart.id, chart.title, chart.description, k_height);
  for (double value = 0; value <= top + step / 2 && ground - value * scale >= k_top - 1;
       value += step) {
    const double y = ground - value * scale;
    write_line(page, "grid", k_left, k_width - k_right, y);
    write_label(page, "end", k_left - 6, y + 4, grouped(std::llround(value)));
  }
  const double slot =
      k_plot_width / static_cast<double>(std::max<std::size_t>(1, chart.columns.size()));
  const double width = std::min(slot * 0.86, k_widest_column);
  const double label_width = static_cast<double>(longest_label) * k_letter_width + 8;
  const auto every = static_cast<std::size_t>(std::max(1.0, std::ceil(label_width / slot)));
  for (std::size_t i = 0; i < chart.columns.size(); ++i) {
    const ColumnChart::Column& column = chart.columns[i];
    const double middle = k_left + slot * (static_cast<double>(i) + 0.5);
    if (total(column) > 0) {
      // A title shows when a pointer rests on the column.
      page.raw("<g><title>").text(column.label);
      double y = ground;
      for (std::size_t part = 0; part < column.values.size(); ++part) {
        if (column.values[part] == 0) continue;
        page.raw("\n").text(chart.series[part].name).raw(": ").count(column.values[part]);
      }
      page.raw("</title>");
      for (std::size_t part = 0; part < column.values.size(); ++part) {
        if (column.values[part] == 0) continue;
        // A few throttled requests among many accepted ones are still to be seen.
        const double height =
            std::max(static_cast<double>(column.values[part]) * scale, k_least_height);
        y -= height;
        write_rectangle(page, chart.series[part].css_class, middle - width / 2, y, width, height);
      }
      page.raw("</g>\n");
    }
    if (i % every != 0) continue;
    // The outermost labels stay inside the picture.
    const double half = static_cast<double>(column.label.size()) * k_letter_width / 2;
    write_label(page, "middle", std::clamp(middle, half, k_width - half), ground + 18,
                column.label);
  }
  if (shows_limit) {
    const double y = ground - *chart.limit * scale;
    write_line(page, "limit", k_left, k_width - k_right, y);
    write_label(page, "end", k_width - k_right, y - 5, chart.limit_label);
  }
  write_label(page, "start", 4, 12, chart.y_label);
  write_label(page, "middle", k_left + k_plot_width / 2, k_height - 8, chart.x_label);
  page.raw("</svg>\n");
}

void write_share_bar(Html& page, const ShareBar& bar) {
  constexpr double k_bar_height = 34;
  std::int64_t whole = 0;
  for (const ShareBar::Part& part : bar.parts) whole += part.value;
  begin_image(page, bar.id, bar.title, bar.description, k_bar_height);
  double x = 0;
  for (const ShareBar::Part& part : bar.parts) {
    if (part.value == 0 || whole == 0) continue;
    const double width = k_width * static_cast<double>(part.value) / static_cast<double>(whole);
    page.raw("<g><title>").text(part.name).raw(": ").count(part.value).raw("</title>");
    // A part too small to be seen is still a line.
    write_rectangle(page, part.css_class, x, 0, std::max(width, 1.5), k_bar_height);
    page.raw("</g>\n");
    x += width;
  }
  page.raw("</svg>\n");
}

}  // namespace diskrelease
