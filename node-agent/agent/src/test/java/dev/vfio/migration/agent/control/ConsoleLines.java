package dev.vfio.migration.agent.control;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.logging.Handler;
import java.util.logging.Logger;
import java.util.stream.Stream;
import org.jboss.logmanager.ExtHandler;
import org.jboss.logmanager.ExtLogRecord;
import org.jboss.logmanager.handlers.ConsoleHandler;

/** What the application's console handler writes, by its own filter and format. */
final class ConsoleLines extends ExtHandler {
  private final Logger root = Logger.getLogger("");
  private final List<String> records = new CopyOnWriteArrayList<>();

  ConsoleLines() {
    Handler console =
        all(root.getHandlers())
            .filter(ConsoleHandler.class::isInstance)
            .findFirst()
            .orElseThrow(() -> new IllegalStateException("the application logs to no console"));
    setFilter(console.getFilter());
    setFormatter(console.getFormatter());
    root.addHandler(this);
  }

  private static Stream<Handler> all(Handler... handlers) {
    return Arrays.stream(handlers)
        .flatMap(
            handler ->
                handler instanceof ExtHandler several
                    ? Stream.concat(Stream.of(handler), all(several.getHandlers()))
                    : Stream.of(handler));
  }

  List<String> records() {
    return records;
  }

  List<String> containing(String text) {
    return records.stream().filter(record -> record.contains(text)).toList();
  }

  @Override
  protected void doPublish(ExtLogRecord record) {
    records.add(getFormatter().format(record));
  }

  @Override
  public void close() {
    root.removeHandler(this);
  }
}
