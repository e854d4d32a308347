package dev.vfio.migration.agent.log;

import dev.vfio.migration.connections.log.OneLineThrowable;
import dev.vfio.migration.text.ForeignText;
import io.quarkus.logging.LoggingFilter;
import java.util.Map;
import java.util.logging.Filter;
import java.util.logging.LogRecord;
import org.jboss.logmanager.ExtLogRecord;
import org.jboss.logmanager.ExtLogRecord.FormatStyle;

/**
 * Makes every log record one line: its message, what it says of the migration, and the message of
 * its exception, whatever was put into them by a peer, a workload or a file name. So nobody but
 * this process writes a line of its log. Only the frames of a stack trace follow on lines of their
 * own, and those come from our own code.
 */
@LoggingFilter(name = "one-line")
public final class OneLineRecords implements Filter {
  @Override
  public boolean isLoggable(LogRecord record) {
    if (record instanceof ExtLogRecord known) {
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
    return true;
  }
}
