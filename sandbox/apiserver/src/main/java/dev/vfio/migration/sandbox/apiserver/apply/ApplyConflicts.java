package dev.vfio.migration.sandbox.apiserver.apply;

import dev.vfio.migration.sandbox.apiserver.apply.ManagedFields.Manager;
import dev.vfio.migration.sandbox.apiserver.http.ApiException;
import dev.vfio.migration.sandbox.apiserver.http.Failures;
import dev.vfio.migration.sandbox.apiserver.schema.Cause;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/** The error of an apply that would change the fields of other managers. */
final class ApplyConflicts {
  static final Comparator<Manager> ORDER =
      Comparator.comparing(Manager::name)
          .thenComparing(Manager::apply)
          .thenComparing(Manager::subresource)
          .thenComparing(Manager::apiVersion);

  private ApplyConflicts() {}

  static ApiException failure(Map<Manager, FieldSet> conflicts, ManagedFields owners) {
    List<Cause> causes = new ArrayList<>();
    StringBuilder several = new StringBuilder();
    String single = "";
    for (Map.Entry<Manager, FieldSet> conflict : conflicts.entrySet()) {
      String manager = describe(conflict.getKey(), owners);
      several
          .append(several.isEmpty() ? "" : "\n")
          .append("conflicts with ")
          .append(manager)
          .append(':');
      for (List<String> path : conflict.getValue().paths()) {
        String field = PathElement.display(path);
        causes.add(new Cause("FieldManagerConflict", "conflict with " + manager, field));
        several.append("\n- ").append(field);
        single = "conflict with " + manager + ": " + field;
      }
    }
    String message =
        causes.size() == 1
            ? "Apply failed with 1 conflict: " + single
            : "Apply failed with " + causes.size() + " conflicts: " + several;
    return Failures.applyConflict(message, causes);
  }

  private static String describe(Manager manager, ManagedFields owners) {
    StringBuilder text = new StringBuilder("\"" + manager.name() + "\"");
    if (!manager.subresource().isEmpty()) {
      text.append(" with subresource \"").append(manager.subresource()).append('"');
    }
    if (!manager.apply()) {
      text.append(" using ").append(manager.apiVersion());
      String time = owners.owners().get(manager).time();
      if (!time.isEmpty()) {
        text.append(" at ").append(time);
      }
    }
    return text.toString();
  }
}
