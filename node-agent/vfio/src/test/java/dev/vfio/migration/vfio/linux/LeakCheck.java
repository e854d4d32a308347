package dev.vfio.migration.vfio.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.Supplier;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Fails a test that leaves a socket or a test file open: looks before its first {@code @BeforeEach}
 * and after its last {@code @AfterEach}.
 *
 * <p>Each socket counts for itself. The number of all sockets would also change when the thread of
 * an earlier test closes one late.
 */
public final class LeakCheck implements BeforeEachCallback, AfterEachCallback {
  private final Supplier<Path> folder;
  private Map<String, Integer> before;

  /**
   * @param folder of the test's files; asked for once it is there
   */
  public LeakCheck(Supplier<Path> folder) {
    this.folder = folder;
  }

  @Override
  public void beforeEach(ExtensionContext test) throws IOException {
    before = OpenDescriptors.each(folder.get());
  }

  @Override
  public void afterEach(ExtensionContext test) throws IOException {
    Map<String, Integer> left = OpenDescriptors.each(folder.get());
    left.entrySet().removeIf(open -> open.getValue() <= before.getOrDefault(open.getKey(), 0));
    assertThat(left).as("what the test opened and did not close").isEmpty();
  }
}
