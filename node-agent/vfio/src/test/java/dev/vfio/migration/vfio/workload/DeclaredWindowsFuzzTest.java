package dev.vfio.migration.vfio.workload;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.text.ForeignText;
import dev.vfio.migration.vfio.json.StrictJson;
import dev.vfio.migration.vfio.json.StrictJson.MalformedException;
import dev.vfio.migration.vfio.workload.DeclaredWindows.Declared;
import dev.vfio.migration.vfio.workload.DeclaredWindows.UnusableException;
import java.util.Comparator;
import java.util.List;
import java.util.Set;

/** Windows that are accepted can be moved: whole pages, named once, inside the address space. */
class DeclaredWindowsFuzzTest {
  private static final int PAGE = 4096;

  /** As a running workload writes it to {@code memory.json}. */
  @FuzzTest(maxDuration = "1h")
  void windowsOfAMemoryFileAreWholePagesApartOrAreRefused(byte[] declaration) {
    read(declaration, Set.of("protocol", "workload"), "fd");
  }

  /** As a workload describes itself on its socket. */
  @FuzzTest(maxDuration = "1h")
  void windowsOfADescriptionAreWholePagesApartOrAreRefused(byte[] declaration) {
    read(declaration, Set.of("ok", "protocol", "workload", "state", "device"), "file");
  }

  private static void read(byte[] bytes, Set<String> known, String place) {
    List<Declared> windows;
    try {
      JsonNode declaration = StrictJson.object(bytes);
      windows = DeclaredWindows.read(declaration, known, place, PAGE);
    } catch (MalformedException | UnusableException refused) {
      assertThat(refused.getMessage()).isNotBlank().matches(ForeignText::isPlain);
      return;
    }
    assertThat(windows).extracting(window -> window.shape().name()).doesNotHaveDuplicates();
    long end = 0;
    for (WindowShape shape :
        windows.stream()
            .map(Declared::shape)
            .sorted(Comparator.comparingLong(WindowShape::iova))
            .toList()) {
      assertThat(DeclaredWindows.isName(shape.name())).isTrue();
      assertThat(shape.iova()).isGreaterThanOrEqualTo(end);
      assertThat(shape.iova() % PAGE).isZero();
      assertThat(shape.size()).isPositive();
      assertThat(shape.size() % PAGE).isZero();
      end = shape.iova() + shape.size();
      assertThat(end).isPositive();
    }
  }
}
