# Every command about every file of the catalogue in tests/hostile_files.c. Commands that say the same
# stand behind one sentence; "fine" means that there is nothing wrong with what the command looks at.
"$build/tests/hostile" "$build/keratin" "$PWD/fixtures"
