package dev.vfio.migration.operator.log;

import dev.vfio.migration.connections.log.OneLineRecord;
import io.quarkus.logging.LoggingFilter;
import java.util.logging.Filter;
import java.util.logging.LogRecord;

/**
 * Makes every log record one line, whatever was put into it by an agent, a certificate or an
 * object. So nobody but this process writes a line of its log.
 */
@LoggingFilter(name = "one-line")
public final class OneLineRecords implements Filter {
  @Override
  public boolean isLoggable(LogRecord record) {
    OneLineRecord.make(record);
    return true;
  }
}
