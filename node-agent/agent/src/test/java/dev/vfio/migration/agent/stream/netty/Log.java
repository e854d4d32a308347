package dev.vfio.migration.agent.stream.netty;

import static org.awaitility.Awaitility.await;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.regex.Pattern;
import org.jboss.logmanager.ExtLogRecord;

/** What the package's classes log while this is open. */
final class Log extends Handler implements AutoCloseable {
  private final Logger logger = Logger.getLogger(Log.class.getPackageName());
  private final List<String> messages = new CopyOnWriteArrayList<>();

  Log() {
    logger.addHandler(this);
  }

  /** Waits until a line as a whole matches. */
  void awaitMatch(String pattern) {
    Pattern compiled = Pattern.compile(pattern, Pattern.DOTALL);
    await()
        .atMost(TwoNodes.TIMEOUT)
        .alias(pattern + " in " + messages)
        .until(() -> messages.stream().anyMatch(line -> compiled.matcher(line).matches()));
  }

  /** Lines so far. */
  int lines() {
    return messages.size();
  }

  @Override
  public void publish(LogRecord record) {
    messages.add(
        record instanceof ExtLogRecord known ? known.getFormattedMessage() : record.getMessage());
  }

  @Override
  public void flush() {
    // Everything is in memory.
  }

  @Override
  public void close() {
    logger.removeHandler(this);
  }
}
