"""Will turn foreign records (JUnit, Allure, logs) into values of our model. Holds nothing yet: that comes in a later part."""
