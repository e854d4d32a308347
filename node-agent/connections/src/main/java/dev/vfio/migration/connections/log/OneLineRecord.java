package dev.vfio.migration.connections.log;

import dev.vfio.migration.text.ForeignText;
import java.util.Map;
import java.util.logging.LogRecord;
import org.jboss.logmanager.ExtLogRecord;
import org.jboss.logmanager.ExtLogRecord.FormatStyle;

/**
 * Makes a log record one line: its message, what it says of the migration, and the message of its
 * exception. Only the frames of a stack trace follow on lines of their own, and those come from our
 * own code.
 */
public final class OneLineRecord {
  private OneLineRecord() {}

  /** Changes the record itself, where it is one of this log manager. */
  public static void make(LogRecord record) {
    if (!(record instanceof ExtLogRecord known)) {
      return;
    }
    String message = known.getFormattedMessage();
    if (message != null) {
      known.setMessage(
          ForeignText.line(message, OneLineThrowable.MAX_MESSAGE), FormatStyle.NO_FORMAT);
    }
    for (Map.Entry<String, String> entry : known.getMdcCopy().entrySet()) {
      if (!ForeignText.isPlain(entry.getValue())) {
        known.putMdc(entry.getKey(), ForeignText.quote(entry.getValue()));
      }
    }
    if (known.getThrown() != null) {
      known.setThrown(OneLineThrowable.of(known.getThrown()));
    }
  }
}
