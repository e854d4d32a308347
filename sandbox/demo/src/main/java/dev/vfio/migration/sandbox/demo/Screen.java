package dev.vfio.migration.sandbox.demo;

import dev.vfio.migration.sandbox.cluster.migration.MigrationView;
import java.io.PrintStream;
import java.util.List;
import java.util.Locale;

/**
 * Shows the progress as it comes: on a terminal in place, elsewhere one line for each change. Safe
 * for use by one thread at a time.
 */
final class Screen {
  private static final String UP_AND_CLEAR = "\u001b[%dA\u001b[J";

  private final PrintStream out;
  private final boolean terminal;
  private final long begin = System.nanoTime();
  private MigrationView shown;
  private int linesToReplace;

  Screen(PrintStream out, boolean terminal) {
    this.out = out;
    this.terminal = terminal;
  }

  /** Seconds since the demo began. */
  double seconds() {
    return (System.nanoTime() - begin) / 1e9;
  }

  /** A remark that stays. */
  synchronized void say(String text) {
    linesToReplace = 0;
    out.println(String.format(Locale.ROOT, "%7.2f s  %s", seconds(), text));
    out.flush();
  }

  /** Shows the view where it differs from the one that is shown. */
  synchronized void show(MigrationView view) {
    if (view.equals(shown)) {
      return;
    }
    shown = view;
    if (!terminal) {
      out.println(ProgressText.line(seconds(), view));
    } else {
      if (linesToReplace > 0) {
        out.print(UP_AND_CLEAR.formatted(linesToReplace));
      }
      List<String> block = ProgressText.block(seconds(), view);
      block.forEach(out::println);
      linesToReplace = block.size();
    }
    out.flush();
  }

  /** The last word, as it is. */
  synchronized void result(String line) {
    linesToReplace = 0;
    out.println(line);
    out.flush();
  }
}
