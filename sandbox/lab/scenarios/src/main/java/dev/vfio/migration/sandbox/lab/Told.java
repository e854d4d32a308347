package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.migration.MigrationView;
import java.io.IOException;
import java.util.List;

/** What a user reads in the conditions of a migration. */
final class Told {
  private Told() {}

  /**
   * The condition that says no and has all those words.
   *
   * @param types of conditions that may say it
   * @throws IOException where none does; the message has all conditions that say no
   */
  static String by(MigrationView view, List<String> types, List<String> words) throws IOException {
    return view.refusals().stream()
        .filter(condition -> types.contains(condition.type()))
        .filter(condition -> words.stream().allMatch(condition.message()::contains))
        .map(it -> "%s=False %s (%s)".formatted(it.type(), it.reason(), it.message()))
        .findFirst()
        .orElseThrow(
            () ->
                new IOException(
                    "none of %s says %s: %s".formatted(types, words, Migration.why(view))));
  }
}
